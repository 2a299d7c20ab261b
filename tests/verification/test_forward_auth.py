"""`/v1/forward-auth` as nginx, Caddy and Traefik use it: a status, headers to pass on, and challenges by RFC 6750."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest

from app import database
from app.keys.secret import KeyClass, generate
from app.settings import Settings
from app.verification.routes import Verification
from tests.conftest import Team, make_key
from tests.support.time_limits import extend_time_limits
from tests.verification.conftest import NOW, Service, change_key, counters, last_used, watched
from tests.verification.test_requests import problem

CHALLENGE = 'Bearer realm="keydesk"'
INVALID_TOKEN = CHALLENGE + ', error="invalid_token"'
INVALID_REQUEST = CHALLENGE + ', error="invalid_request"'
INSUFFICIENT_SCOPE = CHALLENGE + ', error="insufficient_scope"'
JWT = "Bearer eyJhbGciOiJIUzI1NiJ9.e30.ZRrHA1JJJW8opsbCGfG_HACGpVUMN_a9IV7pAx_Zmeo"


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_a_valid_request_is_a_204_that_describes_the_key_by_any_method(service: Service, team: Team, method: str) -> None:
    created = await make_key(team)
    response = await service.forward(
        ("x-api-key", str(created.secret)), query="?permission=pdf.read&environment=production", method=method
    )
    assert (response.status_code, response.content) == (204, b"")
    assert re.fullmatch("req_[a-z0-9]{20}", response.headers["x-request-id"])
    assert {name: value for name, value in response.headers.items() if name != "x-request-id"} == {
        "cache-control": "no-store",
        "x-key-id": created.key.id,
        "x-workspace-id": team.workspace.id,
        "x-key-environment": "production",
        "x-key-permissions": "pdf.generate pdf.read",
    }
    assert await counters() == {(created.key.id, "pdf.read", "VALID"): 1}


async def test_with_outcome_follows_an_allowed_request_is_counted_by_its_report_and_a_denied_one_at_once(
    service: Service, team: Team
) -> None:
    database.freeze(NOW)
    created = await make_key(team)
    key = ("x-api-key", str(created.secret))
    allowed = await service.forward(key, query="?permission=pdf.read&outcomeFollows=true")
    assert (allowed.status_code, allowed.headers["x-outcome-follows"]) == (204, "true")
    assert await counters() == {}
    assert (await last_used(created.key.id))[0] == NOW
    denied = await service.forward(key, query="?permission=pdf.delete&outcomeFollows=true")
    assert (denied.status_code, denied.headers.get("x-outcome-follows")) == (403, None)
    at_once = await service.forward(key, query="?outcomeFollows=false")
    assert (at_once.status_code, at_once.headers.get("x-outcome-follows")) == (204, None)
    assert await counters() == {(created.key.id, "pdf.delete", "PERMISSION_DENIED"): 1, (created.key.id, "", "VALID"): 1}


async def test_the_header_with_the_permissions_is_there_even_when_there_are_none(service: Service, team: Team) -> None:
    created = await make_key(team)
    await change_key(created.key.id, permissions="")
    assert (await service.forward(("x-api-key", str(created.secret)))).headers["x-key-permissions"] == ""


async def test_the_key_may_come_as_the_bearer_and_the_scheme_is_in_any_case(service: Service, team: Team) -> None:
    created = await make_key(team)
    for scheme in ("Bearer", "bearer", "BEARER"):
        assert (await service.forward(("authorization", f"{scheme} {created.secret}"))).status_code == 204


async def test_x_api_key_takes_precedence_over_a_jwt(service: Service, team: Team) -> None:
    created = await make_key(team)
    assert (await service.forward(("x-api-key", str(created.secret)), ("authorization", JWT))).status_code == 204
    refusal = problem(
        await service.forward(("x-api-key", "nothing"), ("authorization", f"Bearer {created.secret}")), 401, "MALFORMED"
    )
    assert "keyId" not in refusal


async def test_two_different_keys_are_refused_and_the_same_one_twice_is_one(service: Service, team: Team) -> None:
    one, other = await make_key(team, "One"), await make_key(team, "Other")
    both = (("x-api-key", str(one.secret)), ("authorization", f"Bearer {other.secret}"))
    response = await service.forward(*both)
    problem(response, 400, "TWO_KEYS")
    assert response.headers["www-authenticate"] == INVALID_REQUEST
    assert await counters() == {}
    assert (await service.forward(both[0], ("authorization", f"Bearer {one.secret}"))).status_code == 204


@pytest.mark.parametrize("name", ["x-api-key", "authorization", "x-gateway-token"])
async def test_a_credential_given_twice_is_refused(service: Service, team: Team, name: str) -> None:
    created = await make_key(team)
    value = f"Bearer {created.secret}" if name == "authorization" else str(created.secret)
    response = await service.forward((name, value), (name, value))
    problem(response, 400, "REPEATED_HEADER")
    assert response.headers["www-authenticate"] == INVALID_REQUEST
    assert await counters() == {}


@pytest.mark.parametrize(
    "headers", [(), (("authorization", "Basic YTpi"),), (("authorization", "Bearer"),), (("cookie", "key=x"),)]
)
async def test_without_a_key_the_challenge_names_no_error(service: Service, db: None, headers: tuple[tuple[str, str], ...]) -> None:
    response = await service.forward(*headers)
    problem(response, 401, "NOT_AUTHENTICATED")
    assert response.headers["www-authenticate"] == CHALLENGE


async def test_an_invalid_key_is_an_invalid_token(service: Service, team: Team) -> None:
    database.freeze(NOW)
    created = await make_key(team)
    known = {"keyId": created.key.id, "workspaceId": team.workspace.id}
    for columns, code in (
        ({"suspended_at": NOW}, "SUSPENDED"),
        ({"expires_at": NOW}, "EXPIRED"),
        ({"revoked_at": NOW}, "REVOKED"),
    ):
        await change_key(created.key.id, **columns)
        response = await service.forward(("x-api-key", str(created.secret)))
        assert problem(response, 401, code).items() >= known.items()
        assert response.headers["www-authenticate"] == INVALID_TOKEN
    for text, code in (("Bearer Bearer", "MALFORMED"), (generate("fl", KeyClass.LIVE), "NOT_FOUND")):
        response = await service.forward(("authorization", f"Bearer {text}"))
        problem(response, 401, code)
        assert response.headers["www-authenticate"] == INVALID_TOKEN


async def test_a_valid_key_in_the_wrong_context_is_forbidden(service: Service, team: Team) -> None:
    created = await make_key(team, allowed_ips=("203.0.113.0/24",))
    key, near = ("x-api-key", str(created.secret)), ("x-forwarded-for", "203.0.113.9")
    response = await service.forward(key, near, query="?permission=pdf.delete")
    assert problem(response, 403, "PERMISSION_DENIED")["missingPermission"] == "pdf.delete"
    assert response.headers["www-authenticate"] == INSUFFICIENT_SCOPE + ', scope="pdf.delete"'
    for response, code in (
        (await service.forward(key, near, query="?environment=staging"), "ENVIRONMENT_NOT_ALLOWED"),
        (await service.forward(key), "IP_NOT_ALLOWED"),
    ):
        problem(response, 403, code)
        assert response.headers["www-authenticate"] == INSUFFICIENT_SCOPE


@pytest.fixture
async def behind_proxies(db: None, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Service]:
    """A Keydesk that trusts the proxies of 10.0.0.0/8 and 2001:db8:ffff::/48."""
    extend_time_limits(monkeypatch)
    proxies = tuple(ipaddress.ip_network(text) for text in ("10.0.0.0/8", "2001:db8:ffff::/48"))
    verification = Verification(replace(settings, trusted_proxies=proxies))
    await verification.open()
    yield watched(verification)
    await verification.close()


@pytest.mark.parametrize(
    ("lines", "address"),
    [
        (["203.0.113.9"], "203.0.113.9"),
        (["203.0.113.9, 10.1.1.1"], "203.0.113.9"),
        (["203.0.113.9", "10.1.1.1", "10.2.2.2"], "203.0.113.9"),
        (["198.51.100.66, 203.0.113.9, 10.1.1.1"], "203.0.113.9"),
        (["198.51.100.66", "203.0.113.9"], "203.0.113.9"),
        (["nonsense, 203.0.113.9 , 10.1.1.1"], "203.0.113.9"),
        (["::ffff:203.0.113.9, ::ffff:10.1.1.1"], "203.0.113.9"),
        (["2001:db8::1, 2001:db8:ffff::1"], "2001:db8::1"),
        (["10.1.1.1, 10.2.2.2"], None),
        (["203.0.113.9, nonsense"], None),
        (["203.0.113.9, 10.1.1.1,"], "203.0.113.9"),
        (["203.0.113.9:443"], "203.0.113.9"),
        (["fe80::1%eth0"], "fe80::1"),
        (['"[2001:4860::5]:443", '], "2001:4860::5"),
        (["[2001:4860::5]"], "2001:4860::5"),
        (["203.0.113.9:99999999"], None),
        (["203.0.113.9:"], None),
        (["[203.0.113.9"], None),
        (["unknown"], None),
        ([""], None),
        (["\u00b2"], None),
        ([], None),
    ],
)
async def test_the_address_is_the_rightmost_one_that_is_not_a_trusted_proxy(
    behind_proxies: Service, team: Team, lines: list[str], address: str | None
) -> None:
    created = await make_key(team)
    headers = [("x-forwarded-for", line.encode("utf-8").decode("latin-1")) for line in lines]
    response = await forward_raw(behind_proxies, str(created.secret), headers)
    assert response.status_code == 204
    assert (await last_used(created.key.id))[1] == address


async def forward_raw(service: Service, key: str, headers: list[tuple[str, str]]) -> httpx.Response:
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    own = [(b"x-gateway-token", str(service.token).encode()), (b"x-api-key", key.encode())]
    return await service.request("GET", "/v1/forward-auth", headers=[*own, *raw])


async def test_no_other_header_and_no_untrusted_hop_changes_the_address(service: Service, team: Team) -> None:
    created = await make_key(team, allowed_ips=("203.0.113.9",))
    key = ("x-api-key", str(created.secret))
    for name in ("forwarded", "x-real-ip", "x-client-ip", "true-client-ip"):
        assert problem(await service.forward(key, (name, "203.0.113.9")), 403, "IP_NOT_ALLOWED")
    assert problem(await service.forward(key, ("x-forwarded-for", "203.0.113.9, 10.0.0.1")), 403, "IP_NOT_ALLOWED")
