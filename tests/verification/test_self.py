"""`GET /v1/self`: the holder of a key learns what it may do, without a gateway token, and no stranger learns or slows anything."""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest

from app import database
from app.clock import DAY, rfc3339
from app.keys import service as keys
from app.keys.key import Reason
from app.keys.secret import KeyClass, generate
from app.paging import Window
from app.request_log import service as request_log
from app.rotations import service as rotations
from app.settings import Settings
from app.usage import log as usage_log
from app.verification import network_limit
from app.verification.network_limit import NetworkLimit
from app.verification.routes import SELF_LIMIT, Verification
from tests.conftest import GATEWAY_TOKEN, Team, make_key
from tests.support.access import seen
from tests.support.statements import counted
from tests.support.time_limits import extend_time_limits
from tests.verification.conftest import NOW, Service, change_key, counters, last_used, suspend_workspace, watched
from tests.verification.test_forward_auth import CHALLENGE, INSUFFICIENT_SCOPE, INVALID_TOKEN
from tests.verification.test_requests import problem

PROXY = "10.1.1.1"


@dataclass
class Holder:
    """Someone who holds a key, at an address."""

    app: Verification
    address: str = "203.0.113.9"

    async def ask(self, key: str | None = None, *headers: tuple[str, str], method: str = "GET", query: str = "") -> httpx.Response:
        transport = httpx.ASGITransport(self.app, client=(self.address, 50_000))  # type: ignore[arg-type]
        own = [("x-api-key", key)] if key is not None else []
        async with httpx.AsyncClient(transport=transport, base_url="http://keydesk.test") as client:
            return await client.request(method, f"/v1/self{query}", headers=[*own, *headers])


def noting(steps: list[str], name: str, step: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def noted(*arguments: Any) -> Any:
        steps.append(name)
        return await step(*arguments)

    return noted


@pytest.fixture
def holder(service: Service) -> Holder:
    return Holder(service.app)


async def test_a_key_says_whose_it_is_and_what_it_may_do(holder: Holder, team: Team) -> None:
    database.freeze(NOW)
    made = await make_key(team, allowed_ips=("203.0.113.0/24",), expires_at=NOW + 40 * DAY)
    for header in (("x-api-key", str(made.secret)), ("authorization", f"Bearer {made.secret}")):
        answer = await holder.ask(None, header)
        assert answer.status_code == 200 and answer.headers["cache-control"] == "no-store"
        body = answer.json()
        assert body.pop("requestId").startswith("req_")
        assert body == {
            "keyId": made.key.id,
            "workspaceId": team.workspace.id,
            "workspace": team.slug,
            "name": "Production server",
            "environment": "production",
            "permissions": ["pdf.generate", "pdf.read"],
            "allowedIps": ["203.0.113.0/24"],
            "expiresAt": rfc3339(NOW + 40 * DAY),
            "notice": None,
        }
        assert not {"deprecation", "sunset"} & set(answer.headers)


async def test_it_is_counted_as_a_request_without_a_permission_by_one_read_and_one_append(
    holder: Holder, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.freeze(NOW)
    made = await make_key(team)
    steps, hot = list[str](), usage_log.current().hot
    for name in ("read", "append", "write"):
        monkeypatch.setattr(hot, name, noting(steps, name, getattr(hot, name)))
    with counted() as statements:
        answer = await holder.ask(made.secret, ("user-agent", "billing/2.1"))
    assert answer.status_code == 200
    assert steps == ["read", "append"] and list(statements) == []
    assert await counters() == {(made.key.id, "", "VALID"): 1}
    assert await last_used(made.key.id) == (NOW, "203.0.113.9")
    access = await seen(team.owner, team.slug)
    (logged,) = (await request_log.requests(access, await keys.find(access, made.key.id), Window(10))).items
    assert (logged.id, logged.outcome, logged.permission) == (answer.json()["requestId"], "VALID", None)
    assert (logged.network, logged.user_agent) == ("203.0.113.0/24", "billing")


async def test_a_notice_is_in_the_body_and_in_headers(holder: Holder, team: Team) -> None:
    database.freeze(NOW)
    made = await make_key(team, expires_at=NOW + 3 * DAY)
    answer = await holder.ask(made.secret)
    assert answer.json()["notice"]["kind"] == "EXPIRES_SOON"
    assert answer.json()["notice"]["sunset"] == rfc3339(NOW + 3 * DAY)
    assert answer.headers["deprecation"].startswith("@") and answer.headers["sunset"].endswith("GMT")
    replaced = await make_key(team, "Old")
    await rotations.start(team.owner, replaced.key.id)
    assert (await holder.ask(replaced.secret)).json()["notice"]["kind"] == "ROTATING"


async def test_a_key_that_does_not_work_is_a_401_that_says_why_and_is_counted(holder: Holder, team: Team) -> None:
    database.freeze(NOW)
    made = await make_key(team)
    for columns, code in (
        ({"suspended_at": NOW}, "SUSPENDED"),
        ({"expires_at": NOW}, "EXPIRED"),
        ({"revoked_at": NOW}, "REVOKED"),
    ):
        await change_key(made.key.id, **columns)
        answer = await holder.ask(made.secret)
        assert problem(answer, 401, code)["keyId"] == made.key.id
        assert answer.headers["www-authenticate"] == INVALID_TOKEN
    assert {outcome: number for (_, _, outcome), number in (await counters()).items()} == {
        "SUSPENDED": 1, "EXPIRED": 1, "REVOKED": 1
    }  # fmt: skip


async def test_a_suspended_workspace_suspends_its_keys_here_too(holder: Holder, team: Team) -> None:
    made = await make_key(team)
    await suspend_workspace(team.workspace.id, await database.now())
    problem(await holder.ask(made.secret), 401, "SUSPENDED")


async def test_a_revoked_key_is_refused_by_the_next_request(holder: Holder, team: Team) -> None:
    made = await make_key(team)
    assert (await holder.ask(made.secret)).status_code == 200
    await keys.revoke(team.owner, made.key.id, Reason.EXPOSED_IN_LOGS)
    problem(await holder.ask(made.secret), 401, "REVOKED")


async def test_unknown_keys_and_other_credentials_get_one_answer_and_count_nothing(holder: Holder, team: Team) -> None:
    unknown = [generate("fl", each) for each in KeyClass]
    answers = [await holder.ask(each) for each in unknown]
    seen_bodies = {answer.text.replace(answer.json()["instance"], "") for answer in answers}
    assert len(seen_bodies) == 1
    assert not {"keyId", "workspaceId"} & set(problem(answers[0], 401, "NOT_FOUND"))
    assert await counters() == {}


async def test_text_that_is_no_key_does_not_reach_the_database(holder: Holder, service: Service, team: Team) -> None:
    secret = str((await make_key(team)).secret)
    for text in ("nothing", secret[:-1], secret.upper(), GATEWAY_TOKEN):
        answer = await holder.ask(text)
        problem(answer, 401, "MALFORMED")
        assert answer.headers["www-authenticate"] == INVALID_TOKEN
    assert service.looked_up == []


async def test_a_request_without_a_key_or_with_mistakes_is_refused(holder: Holder, team: Team) -> None:
    secret = str((await make_key(team)).secret)
    absent = await holder.ask()
    problem(absent, 401, "NOT_AUTHENTICATED")
    assert absent.headers["www-authenticate"] == CHALLENGE
    other = str((await make_key(team, "Other")).secret)
    problem(await holder.ask(secret, ("authorization", f"Bearer {other}")), 400, "TWO_KEYS")
    problem(await holder.ask(secret, ("x-api-key", secret)), 400, "REPEATED_HEADER")
    problem(await holder.ask(secret, query="?permission=pdf.read"), 400, "UNKNOWN_PARAMETER")
    wrong = await holder.ask(secret, method="POST")
    assert problem(wrong, 405, "METHOD_NOT_ALLOWED")["detail"] == "Use GET." and wrong.headers["allow"] == "GET"
    assert await counters() == {}


async def test_a_caller_cannot_choose_its_address(holder: Holder, team: Team) -> None:
    made = await make_key(team, allowed_ips=("198.51.100.0/24",))
    answer = await holder.ask(made.secret, ("x-forwarded-for", "198.51.100.7"))
    problem(answer, 403, "IP_NOT_ALLOWED")
    assert answer.headers["www-authenticate"] == INSUFFICIENT_SCOPE
    assert (await replace(holder, address="198.51.100.7").ask(made.secret)).status_code == 200
    assert (await replace(holder, address="::ffff:198.51.100.7").ask(made.secret)).status_code == 200
    problem(await replace(holder, address="not-an-address").ask(made.secret), 403, "IP_NOT_ALLOWED")


@pytest.fixture
async def behind_proxy(db: None, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Holder]:
    """Reaches a Keydesk through a proxy that it trusts."""
    extend_time_limits(monkeypatch)
    verification = Verification(replace(settings, trusted_proxies=(ipaddress.ip_network("10.0.0.0/8"),)))
    await verification.open()
    yield Holder(watched(verification).app, PROXY)
    await verification.close()


async def test_behind_a_trusted_proxy_the_address_is_the_forwarded_one(behind_proxy: Holder, team: Team) -> None:
    made = await make_key(team, allowed_ips=("198.51.100.0/24",))
    good, bad = ("x-forwarded-for", "203.0.113.1, 198.51.100.7"), ("x-forwarded-for", "198.51.100.7, 203.0.113.1")
    assert (await behind_proxy.ask(made.secret, good)).status_code == 200
    for refused in ((bad,), (), (("x-forwarded-for", "nonsense"),)):
        problem(await behind_proxy.ask(made.secret, *refused), 403, "IP_NOT_ALLOWED")
    # A stranger beside the proxy is judged by its own address.
    problem(await replace(behind_proxy, address="203.0.113.1").ask(made.secret, good), 403, "IP_NOT_ALLOWED")


async def test_each_network_may_ask_so_often_in_a_minute_and_is_then_refused_before_anything_is_read(
    holder: Holder, service: Service, team: Team
) -> None:
    made = await make_key(team)
    statuses = [(await holder.ask("nothing")).status_code for _ in range(SELF_LIMIT)]
    assert set(statuses) == {401}
    refused = await holder.ask(made.secret)
    problem(refused, 429, "TOO_MANY_REQUESTS")
    assert refused.headers["retry-after"] == "60" and service.looked_up == []
    assert (await replace(holder, address="198.51.100.7").ask(made.secret)).status_code == 200
    # Verification has no such limit.
    assert await service.code(made.secret) == "VALID"


def test_a_network_may_send_again_in_the_next_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000.0
    monkeypatch.setattr(network_limit.time, "monotonic", lambda: now)
    limit, refused = NetworkLimit(1), 0
    for _ in range(2):
        limit.count("203.0.113.9")
        try:
            limit.count("203.0.113.9")
        except network_limit.Refused as refusal:
            refused += refusal.status == 429
        now += network_limit.WINDOW_SECONDS + 1
    assert refused == 2
