"""`POST /v1/self/revocation`: anyone who holds a whole secret may end it, once and for good; a guesser learns nothing."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest

from app import database
from app.access.actor import Actor, ActorKind
from app.alerts import service as alerts
from app.audit import service as audit
from app.clock import DAY
from app.gateway_tokens import service as gateway_tokens
from app.journal import file as journal
from app.keys import service as keys
from app.keys.key import Reason
from app.keys.secret import generate
from app.leaks.revocation_request import REASONS
from app.leaks.revocation_routes import BODY_LIMIT, ENDED, LIMIT, SelfRevocation
from app.main import Keydesk
from app.management_keys import service as management_keys
from app.management_keys.management_key import ManagementKeyInput
from app.settings import Settings
from tests.conftest import Team, make_key
from tests.support.access import seen
from tests.support.statements import counted
from tests.verification.conftest import change_key
from tests.verification.test_requests import problem

CHALLENGE = 'Bearer realm="keydesk"'


@dataclass
class Finder:
    """Someone who has found a secret."""

    app: Any
    address: str = "203.0.113.9"

    async def end(
        self, secret: str | None, given: Any = None, *headers: tuple[str, str], body: bytes | None = None, method: str = "POST"
    ) -> httpx.Response:
        transport = httpx.ASGITransport(self.app, client=(self.address, 50_000))
        content = body if body is not None else b"" if given is None else json.dumps(given).encode()
        own = [("x-api-key", secret)] if secret is not None else []
        async with httpx.AsyncClient(transport=transport, base_url="http://keydesk.test") as client:
            sent = [*own, *headers, ("user-agent", "finder/1.0")]
            return await client.request(method, "/v1/self/revocation", content=content, headers=sent)


@pytest.fixture
def finder(settings: Settings) -> Finder:
    return Finder(SelfRevocation(settings))


def ended(answer: httpx.Response) -> str:
    """Checks the one good answer; returns the id of the request."""
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body == {"message": ENDED, "requestId": body["requestId"]}
    return str(body["requestId"])


async def test_the_holder_of_a_whole_secret_ends_the_key_with_a_trace(finder: Finder, team: Team) -> None:
    made, other = await make_key(team, "Shop", allowed_ips=("198.51.100.7",)), await make_key(team, "Other")
    request_id = ended(await finder.end(made.secret, {"reason": "EXPOSED_IN_LOGS", "note": "in the log of a build"}))
    revoked = (await keys.get(team.owner, made.key.id)).revocation
    assert revoked is not None
    assert (revoked.reason, revoked.note) == (Reason.EXPOSED_IN_LOGS, "in the log of a build")
    assert (revoked.by.kind, revoked.by.name) == (ActorKind.SYSTEM, "Holder of the key")
    newest, *_ = await audit.about(await seen(team.owner, team.slug), made.key.id)
    assert (newest.action, newest.actor) == ("key.revoked", revoked.by)
    assert (newest.request.address, newest.request.user_agent) == ("203.0.113.9", "finder/1.0")
    assert newest.request.request_id == request_id
    assert made.key.id in journal.current().path.read_text()
    assert (await keys.get(team.owner, other.key.id)).revocation is None


async def test_the_bearer_is_the_secret_too_and_a_body_is_not_needed(finder: Finder, team: Team) -> None:
    for body in (b"", b"  ", b"{}", b'{"reason": null, "note": null}'):
        made = await make_key(team)
        ended(await finder.end(None, None, ("authorization", f"Bearer {made.secret}"), body=body))
        revoked = (await keys.get(team.owner, made.key.id)).revocation
        assert revoked is not None and (revoked.reason, revoked.note) == (Reason.OTHER, None)


@pytest.mark.parametrize("reason", REASONS)
async def test_the_reason_is_stored_and_all_but_a_key_no_longer_needed_raise_an_alert(
    finder: Finder, team: Team, reason: Reason
) -> None:
    made = await make_key(team, "Shop")
    ended(await finder.end(made.secret, {"reason": reason}))
    revoked = (await keys.get(team.owner, made.key.id)).revocation
    assert revoked is not None and revoked.reason is reason
    raised = [(each.key.id, str(each.kind)) for each in await alerts.run(await database.now())]
    assert raised == ([] if reason is Reason.NO_LONGER_NEEDED else [(made.key.id, "LEAKED")])


async def test_repeated_it_gets_the_same_answer_and_changes_nothing(finder: Finder, team: Team) -> None:
    made = await make_key(team)
    ended(await finder.end(made.secret, {"reason": "SHARED_INSECURELY"}))
    before = await database.fetch("SELECT * FROM audit_entry ORDER BY id")
    first = (await keys.get(team.owner, made.key.id)).revocation
    ended(await finder.end(made.secret, {"reason": "OTHER", "note": "again"}))
    assert (await keys.get(team.owner, made.key.id)).revocation == first
    assert await database.fetch("SELECT * FROM audit_entry ORDER BY id") == before


async def test_an_unknown_secret_is_answered_like_a_revoked_one_by_the_same_statements(finder: Finder, team: Team) -> None:
    made = await make_key(team)
    await keys.revoke(team.owner, made.key.id, Reason.OTHER)
    asked = ManagementKeyInput("CI", ("keys.read",), await database.now() + DAY)
    key, managing = await management_keys.create(team.owner, team.slug, asked)
    await management_keys.revoke(team.owner, key.id)
    token = await gateway_tokens.create(Actor.operator(), "edge")
    await gateway_tokens.revoke(Actor.operator(), token.token.id)
    runs = []
    for secret in (generate("fl", "live"), str(made.secret), managing, token.secret):
        with counted() as statements:
            answer = await finder.end(secret)
        ended(answer)
        runs.append((list(statements), sorted(answer.headers), answer.headers["content-length"]))
    assert runs[0][0] and all(run == runs[0] for run in runs)


async def test_management_keys_and_gateway_tokens_can_be_ended_too(finder: Finder, team: Team, settings: Settings) -> None:
    asked = ManagementKeyInput("CI", ("keys.read",), await database.now() + DAY)
    _, managing = await management_keys.create(team.owner, team.slug, asked)
    token = (await gateway_tokens.create(Actor.operator(), "edge")).secret
    for secret in (managing, token):
        ended(await finder.end(secret))
    found = await management_keys.find_by_secret(Actor.operator(), managing)
    assert found is not None and found.revoked_at is not None
    edge = await gateway_tokens.find_by_secret(Actor.operator(), token)
    assert edge is not None and edge.revoked_at is not None


async def test_a_gateway_token_of_the_settings_is_left_to_the_operator(
    settings: Settings, team: Team, caplog: pytest.LogCaptureFixture
) -> None:
    token = generate("fl", "gate")
    finder = Finder(SelfRevocation(replace(settings, gateway_tokens=(token,))))
    with caplog.at_level(logging.ERROR, "keydesk.leaks"):
        problem(await finder.end(token), 403, "NOT_ALLOWED")
    assert "replace it" in caplog.text and token not in caplog.text


async def test_a_key_that_is_suspended_or_expired_can_be_ended(finder: Finder, team: Team) -> None:
    now = await database.now()
    for columns in ({"suspended_at": now - DAY}, {"expires_at": now - DAY}):
        made = await make_key(team)
        await change_key(made.key.id, **columns)
        ended(await finder.end(made.secret))
        assert (await keys.get(team.owner, made.key.id)).revocation is not None


async def test_only_a_whole_secret_in_a_header_counts(finder: Finder, team: Team) -> None:
    made, other = await make_key(team), await make_key(team, "Other")
    secret = str(made.secret)
    absent = await finder.end(None, {"key": secret})
    problem(absent, 401, "NOT_AUTHENTICATED")
    assert absent.headers["www-authenticate"] == CHALLENGE
    for text in (secret[:-1], secret + "0", secret.upper(), secret[:-6] + "000000"):
        answer = await finder.end(text)
        problem(answer, 401, "MALFORMED")
        assert answer.headers["www-authenticate"] == CHALLENGE + ', error="invalid_token"'
    problem(await finder.end(secret, None, ("authorization", f"Bearer {other.secret}")), 400, "TWO_KEYS")
    problem(await finder.end(secret, None, ("x-api-key", secret)), 400, "REPEATED_HEADER")
    assert problem(await finder.end(secret, method="GET"), 405, "METHOD_NOT_ALLOWED")["detail"] == "Use POST."
    for each in (made, other):
        assert (await keys.get(team.owner, each.key.id)).revocation is None


@pytest.mark.parametrize(
    ("body", "faults"),
    [
        ({"reason": "BORED"}, [("reason", "UNKNOWN")]),
        ({"reason": "MEMBER_LEFT"}, [("reason", "UNKNOWN")]),
        ({"reason": 1, "note": ["x"]}, [("reason", "INVALID"), ("note", "INVALID")]),
        ({"why": "x", "reason": "BORED"}, [("why", "UNKNOWN"), ("reason", "UNKNOWN")]),
    ],
)
async def test_faults_are_named_at_their_fields_and_nothing_is_revoked(
    finder: Finder, team: Team, body: dict[str, Any], faults: list[tuple[str, str]]
) -> None:
    made = await make_key(team)
    refusal = problem(await finder.end(made.secret, body), 400, "VALIDATION_FAILED")
    assert [(fault["field"], fault["code"]) for fault in refusal["errors"]] == faults
    assert all(fault["message"] for fault in refusal["errors"])
    assert (await keys.get(team.owner, made.key.id)).revocation is None


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b"null", b'"x"', b"\xff", b"[" * 10_000, b'{"note": "\xff"}', b'{"note": "a", "note": "b"}']
)
async def test_a_body_that_is_no_object_is_a_400_and_revokes_nothing(finder: Finder, team: Team, body: bytes) -> None:
    made = await make_key(team)
    answer = await finder.end(made.secret, body=body)
    assert answer.status_code == 400 and answer.json()["code"] in ("BAD_REQUEST", "REPEATED_NAME", "VALIDATION_FAILED")
    assert (await keys.get(team.owner, made.key.id)).revocation is None


async def test_secrets_in_a_note_are_masked_and_in_a_name_too(finder: Finder, team: Team) -> None:
    made = await make_key(team)
    refusal = problem(await finder.end(made.secret, {str(made.secret): "x"}), 400, "VALIDATION_FAILED")
    assert str(made.secret) not in json.dumps(refusal)
    ended(await finder.end(made.secret, {"note": f"found {made.secret}\u0000 " + "x" * 2_000}))
    revoked = (await keys.get(team.owner, made.key.id)).revocation
    assert revoked is not None and revoked.note is not None
    assert str(made.secret) not in revoked.note and revoked.note.startswith("found fl_live_") and len(revoked.note) <= 1_000


async def test_sizes_and_floods_are_limited_for_each_network(finder: Finder, team: Team) -> None:
    made = await make_key(team)
    problem(await finder.end(made.secret, body=b" " * (BODY_LIMIT + 1)), 413, "CONTENT_TOO_LARGE")
    statuses = [(await finder.end("guess")).status_code for _ in range(LIMIT)]
    assert statuses[0] == 401 and statuses[-1] == 429
    problem(await finder.end(made.secret), 429, "TOO_MANY_REQUESTS")
    assert (await keys.get(team.owner, made.key.id)).revocation is None
    ended(await replace(finder, address="198.51.100.7").end(made.secret))


async def test_a_node_serves_the_routes_of_its_role(settings: Settings, db: None) -> None:
    async def code(role: str, method: str, path: str) -> int:
        transport = httpx.ASGITransport(Keydesk(replace(settings, role=role)))  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://keydesk.test") as client:
            return (await client.request(method, path)).status_code

    found = {
        role: [await code(role, "PUT", path) for path in ("/v1/self", "/v1/self/revocation")]
        for role in ("all", "verify", "control")
    }
    assert found == {"all": [405, 405], "verify": [405, 404], "control": [404, 405]}
