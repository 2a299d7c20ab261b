"""Extreme times: refused in inputs, and still readable if they were stored earlier."""

from __future__ import annotations

import pytest

from app import database
from app.clock import DAY, YEAR, rfc3339
from tests.conftest import Team, make_key
from tests.support.graphql import Client

ASKED = {"name": "Server", "environment": "production", "permissions": ["pdf.read"]}
ENDS = ["0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "9001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"]
ENDS += ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"]
USAGE = "query($id:ID!,$s:DateTime,$u:DateTime){node(id:$id){...on ApiKey{usage(since:$s,until:$u){totalRequests}}}}"


@pytest.mark.parametrize("text", ENDS)
async def test_a_time_at_the_ends_of_the_calendar_is_refused_in_every_argument(owner: Client, team: Team, text: str) -> None:
    key = (await make_key(team)).key.id
    asked = "mutation($i:CreateApiKeyInput!){createApiKey(input:$i){__typename}}"
    refusals = [await owner.refused(asked, i={**ASKED, "expiresAt": text})]
    refusals += [await owner.refused(USAGE, id=key, **span) for span in ({"s": text}, {"u": text}, {"s": text, "u": text})]
    for error in (error for refusal in refusals for error in refusal):
        assert error["extensions"]["code"] == "BAD_USER_INPUT" and "1970 to 9000" in error["message"]


async def test_spans_at_the_limits_are_accepted(owner: Client, team: Team) -> None:
    key = (await make_key(team)).key.id
    first, last = "1970-01-01T00:00:00Z", "9000-12-31T23:59:59Z"
    assert (await owner.ask(USAGE, id=key, u=first))["node"]["usage"] == {"totalRequests": 0}
    assert (await owner.ask(USAGE, id=key, s=last, u=last))["node"]["usage"] == {"totalRequests": 0}
    assert "1000 steps" in (await owner.refused(USAGE, id=key, s=first))[0]["message"]
    assert "after" in (await owner.refused(USAGE, id=key, s=last))[0]["message"]


async def test_a_key_expires_within_a_hundred_years_or_never(owner: Client, team: Team) -> None:
    now = await database.now()
    database.freeze(now)
    refused = await owner.change("keys/create", **ASKED, expiresAt=rfc3339(now + 100 * YEAR + 1))
    assert [(fault["field"], fault["code"]) for fault in refused["fields"]] == [("expiresAt", "TOO_LATE")]
    made = await owner.change("keys/create", **ASKED, expiresAt=rfc3339(now + 100 * YEAR))
    key = made["apiKey"]["id"]
    refused = await owner.change("keys/update", id=key, expiresAt=rfc3339(now + 100 * YEAR + DAY))
    assert [(fault["field"], fault["code"]) for fault in refused["fields"]] == [("expiresAt", "TOO_LATE")]


@pytest.mark.parametrize("instant", [253_402_300_799_000_000, 253_402_350_000_000_000, 2**63 - 1])
async def test_a_key_stored_with_such_a_time_is_still_listed(owner: Client, team: Team, instant: int) -> None:
    key = (await make_key(team)).key.id
    async with database.transaction():
        await database.fetch("UPDATE api_key SET expires_at = {}", instant)
    (listed,) = (await owner.run("keys/list"))["apiKeys"]["nodes"]
    assert listed["id"] == key and listed["expiresAt"].startswith("9999-12-31T23:59:59")
