"""Codes of verdicts and their fields: the first that applies, the same from the pure rule and from the database."""

from __future__ import annotations

import ipaddress
from itertools import combinations

import pytest

from app import clock, database
from app.clock import rfc3339
from app.keys import service as keys
from app.keys.key import Reason
from app.verification.verdict import MESSAGES, AccessRequest, Code, Gateway, KeyRecord, evaluate
from tests.conftest import Team, make_key
from tests.verification.conftest import NOW, Service, change_key, counters, last_used, suspend_workspace

ALLOWED, ELSEWHERE = "203.0.113.9", "198.51.100.1"
FAULTS = (
    Code.REVOKED,
    Code.EXPIRED,
    Code.SUSPENDED,
    Code.IP_NOT_ALLOWED,
    Code.ENVIRONMENT_NOT_ALLOWED,
    Code.PERMISSION_DENIED,
)
USED = {Code.VALID, Code.PERMISSION_DENIED}


def held(faults: set[Code]) -> KeyRecord:
    """A key that has these faults for the request of `asked`."""
    return KeyRecord(
        id="key_a",
        workspace_id="wsp_a",
        workspace="acme",
        name="Production server",
        environment="production",
        permissions=("pdf.read",),
        allowed_ips=("203.0.113.0/24",) if Code.IP_NOT_ALLOWED in faults else (),
        expires_at=NOW if Code.EXPIRED in faults else None,
        suspended_at=NOW - 1 if Code.SUSPENDED in faults else None,
        revoked_at=NOW - 1 if Code.REVOKED in faults else None,
        pepper_version=1,
    )


def asked(faults: set[Code]) -> AccessRequest:
    return AccessRequest(
        "pdf.delete" if Code.PERMISSION_DENIED in faults else "pdf.read",
        "staging" if Code.ENVIRONMENT_NOT_ALLOWED in faults else "production",
        ipaddress.ip_address(ELSEWHERE),
    )


@pytest.mark.parametrize("count", range(len(FAULTS) + 1))
def test_of_several_faults_the_first_in_the_order_of_the_codes_decides(count: int) -> None:
    for chosen in combinations(FAULTS, count):
        faults = set(chosen)
        expected = next((code for code in Code if code in faults), Code.VALID)
        assert evaluate(asked(faults), held(faults), Gateway("gtk"), NOW).code is expected
        assert evaluate(asked(faults), held(faults), Gateway("gtk", "wsp_b"), NOW).code is Code.NOT_FOUND


def test_the_order_of_the_codes_is_the_published_one() -> None:
    published = "MALFORMED NOT_FOUND REVOKED EXPIRED SUSPENDED IP_NOT_ALLOWED ENVIRONMENT_NOT_ALLOWED PERMISSION_DENIED VALID"
    assert [code.value for code in Code] == published.split()
    assert MESSAGES.keys() == set(Code)


async def broken(team: Team, *faults: Code) -> tuple[str, str, dict[str, str]]:
    """A key with these faults in the database: its id, its secret, and a request to which they apply."""
    created = await make_key(team)
    columns: dict[Code, dict[str, object]] = {
        Code.REVOKED: {"revoked_at": NOW - 3},
        Code.EXPIRED: {"expires_at": NOW - 2},
        Code.SUSPENDED: {"suspended_at": NOW - 1},
        Code.IP_NOT_ALLOWED: {"allowed_ips": "203.0.113.0/24"},
    }
    for fault in faults:
        await change_key(created.key.id, **columns.get(fault, {}))
    given = asked(set(faults))
    assert created.secret is not None
    return (
        created.key.id,
        created.secret,
        {"permission": given.permission or "", "environment": given.environment or "", "ip": ELSEWHERE},
    )


@pytest.mark.parametrize(("first", "second"), list(combinations(FAULTS, 2)))
async def test_of_two_faults_in_the_database_the_earlier_code_is_returned_and_counted(
    service: Service, team: Team, first: Code, second: Code
) -> None:
    database.freeze(NOW)
    key_id, secret, request = await broken(team, first, second)
    assert await service.code(secret, **request) == first
    assert await counters() == {(key_id, request["permission"], first): 1}
    assert (await last_used(key_id))[0] is None


@pytest.mark.parametrize("code", FAULTS)
async def test_a_denial_contains_its_reason_and_nothing_more(service: Service, team: Team, code: Code) -> None:
    database.freeze(NOW)
    key_id, secret, request = await broken(team, code)
    answer = await service.verify(secret, **request)
    reasons = {
        Code.REVOKED: {"revokedAt": rfc3339(NOW - 3)},
        Code.EXPIRED: {"expiresAt": rfc3339(NOW - 2)},
        Code.SUSPENDED: {"suspendedAt": rfc3339(NOW - 1)},
        Code.PERMISSION_DENIED: {"missingPermission": "pdf.delete"},
    }
    request_id = answer.pop("requestId")
    assert request_id.startswith("req_") and len(request_id) == 24
    known = {"valid": False, "code": code, "message": MESSAGES[code], "keyId": key_id, "workspaceId": team.workspace.id}
    assert answer == known | reasons.get(code, {})


async def test_a_valid_key_is_described(service: Service, team: Team) -> None:
    expires_at = await database.now() + 15 * clock.DAY
    created = await make_key(team, "Türe 1", expires_at=expires_at)
    answer = await service.verify(created.secret, permission="pdf.read", environment="production", ip=ALLOWED, userAgent="curl/8")
    answer.pop("requestId")
    assert answer == {
        "valid": True,
        "code": "VALID",
        "keyId": created.key.id,
        "workspaceId": team.workspace.id,
        "workspace": "acme",
        "name": "Türe 1",
        "environment": "production",
        "permissions": ["pdf.generate", "pdf.read"],
        "expiresAt": rfc3339(expires_at),
        "notice": None,
    }


async def test_an_unknown_key_is_answered_without_key_fields(service: Service, db: None) -> None:
    for text, code in (("no key at all", "MALFORMED"), ("", "MALFORMED")):
        answer = await service.verify(text)
        assert answer.keys() == {"valid", "code", "message", "requestId"}
        assert (answer["valid"], answer["code"]) == (False, code)
    assert await counters() == {}


async def test_a_suspended_workspace_suspends_its_keys_from_the_earlier_instant(service: Service, team: Team) -> None:
    database.freeze(NOW)
    created = await make_key(team)
    await suspend_workspace(team.workspace.id, NOW - 5)
    assert (await service.verify(created.secret))["suspendedAt"] == rfc3339(NOW - 5)
    await change_key(created.key.id, suspended_at=NOW - 9)
    answer = await service.verify(created.secret)
    assert (answer["code"], answer["suspendedAt"]) == ("SUSPENDED", rfc3339(NOW - 9))


@pytest.mark.parametrize(("offset", "code"), [(-1, "VALID"), (0, "EXPIRED"), (1, "EXPIRED")])
async def test_a_key_expires_in_the_exact_microsecond_by_the_databases_clock(
    service: Service, team: Team, offset: int, code: str
) -> None:
    expires_at = await database.now() + clock.DAY
    created = await make_key(team, expires_at=expires_at)
    database.freeze(expires_at + offset)
    assert await service.code(created.secret) == code


@pytest.mark.parametrize(("milliseconds", "code"), [(-1, "VALID"), (0, "EXPIRED"), (1, "EXPIRED")])
async def test_a_key_is_refused_from_the_millisecond_of_its_expiry_by_every_endpoint(
    service: Service, team: Team, milliseconds: int, code: str
) -> None:
    expires_at = await database.now() + clock.DAY
    created = await make_key(team, expires_at=expires_at)
    database.freeze(expires_at + milliseconds * 1_000)
    assert await service.code(created.secret) == code
    assert (await service.forward(("x-api-key", str(created.secret)))).status_code == (204 if code == "VALID" else 401)


async def test_revoking_suspending_and_resuming_take_effect_with_the_next_request(service: Service, team: Team) -> None:
    created = await make_key(team)
    assert await service.code(created.secret) == "VALID"
    await keys.suspend(team.owner, created.key.id)
    assert await service.code(created.secret) == "SUSPENDED"
    await keys.resume(team.owner, created.key.id)
    assert await service.code(created.secret) == "VALID"
    await keys.revoke(team.owner, created.key.id, Reason.NO_LONGER_NEEDED)
    assert await service.code(created.secret) == "REVOKED"


async def test_a_key_is_valid_immediately_after_its_creation(service: Service, team: Team) -> None:
    created = await make_key(team)
    digest = (await database.fetch("SELECT digest FROM api_key"))[0]["digest"]
    await change_key(created.key.id, digest=b"elsewhere")
    assert await service.code(created.secret) == "NOT_FOUND"
    await change_key(created.key.id, digest=digest)
    assert await service.code(created.secret) == "VALID"


@pytest.mark.parametrize(
    ("networks", "address", "code"),
    [
        (("203.0.113.0/24",), "203.0.113.255", "VALID"),
        (("203.0.113.0/24",), "203.0.114.0", "IP_NOT_ALLOWED"),
        (("203.0.113.0/24",), None, "IP_NOT_ALLOWED"),
        (("203.0.113.0/24",), "::ffff:203.0.113.7", "VALID"),
        (("203.0.113.0/24",), "2001:db8::1", "IP_NOT_ALLOWED"),
        (("198.51.100.1", "2001:db8::/48"), "2001:db8:0:ffff::1", "VALID"),
        (("198.51.100.1", "2001:db8::/48"), "2001:db8:1::1", "IP_NOT_ALLOWED"),
        ((), None, "VALID"),
    ],
)
async def test_a_key_with_an_allow_list_works_from_there_and_not_from_an_unknown_address(
    service: Service, team: Team, networks: tuple[str, ...], address: str | None, code: str
) -> None:
    created = await make_key(team, allowed_ips=networks)
    assert await service.code(created.secret, **({"ip": address} if address is not None else {})) == code


async def test_a_key_with_a_line_break_is_malformed_and_the_answer_names_white_space(service: Service, team: Team) -> None:
    secret = (await make_key(team)).secret
    answer = await service.verify(f"{secret}\n")
    assert answer["code"] == "MALFORMED"
    assert "white space or a line end" in answer["message"]
