"""The scalars of the contract: their specifications, their values on the wire, and the range of numbers."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import GraphQLScalarType, is_specified_scalar_type

from app import database
from app.api.schema import core
from app.clock import HOUR
from tests.conftest import Team, make_key
from tests.support.callers import use
from tests.support.graphql import Client

LARGEST = 2**53 - 1


def test_every_custom_scalar_says_where_it_is_specified() -> None:
    kinds = [
        kind for kind in core().type_map.values() if isinstance(kind, GraphQLScalarType) and not is_specified_scalar_type(kind)
    ]
    # Scopes are specific to this API: the description lists them all.
    specified = {"BigInt", "DateTime", "JSON", "LocalTime", "Network", "TimeZone"}
    assert {kind.name for kind in kinds} == specified | {"Scope"}
    assert {kind.name for kind in kinds if (kind.specified_by_url or "").startswith("https://")} == specified


async def test_times_zones_and_networks_are_strings_on_the_wire_in_both_directions(owner: Client, team: Team) -> None:
    hours = {"days": ["MONDAY"], "opens": "08:00", "closes": "18:00"}
    changed = (await owner.change("workspaces/update", timezone="Europe/Berlin", businessHours=hours))["workspace"]
    assert (changed["timezone"], changed["businessHours"]) == ("Europe/Berlin", hours)
    key = (await make_key(team)).key.id
    changed = (await owner.change("keys/update", id=key, allowedIps=["203.0.113.9", "2001:db8:1::/48"]))["apiKey"]
    assert changed["allowedIps"] == ["203.0.113.9/32", "2001:db8:1::/48"]
    await use(key)
    assert (await owner.run("keys/callers", id=key))["callers"]["nodes"][0]["network"] == "203.0.113.0/24"


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"businessHours": {"days": ["MONDAY"], "opens": "8", "closes": "18:00"}}, "businessHours.opens"),
    ],
)
async def test_an_invalid_string_is_a_fault_at_its_field(owner: Client, given: dict[str, Any], field: str) -> None:
    assert [fault["field"] for fault in (await owner.change("workspaces/update", **given))["fields"]] == [field]


@pytest.mark.parametrize("value", [8, True, ["08:00"], {"hour": 8}])
async def test_a_value_that_is_not_a_string_is_refused(owner: Client, value: Any) -> None:
    text = "mutation($i: UpdateWorkspaceInput!) { updateWorkspace(input: $i) { __typename } }"
    (error,) = await owner.refused(text, i={"timezone": value})
    assert error["extensions"]["code"] == "BAD_USER_INPUT"


async def test_a_folded_caller_has_no_network(owner: Client, team: Team) -> None:
    key = (await make_key(team)).key.id
    await use(key)
    async with database.transaction():
        await database.fetch("UPDATE caller SET network = '*', user_agent = '*' WHERE key = {}", key)
    (folded,) = (await owner.run("keys/callers", id=key))["callers"]["nodes"]
    assert (folded["folded"], folded["network"], folded["userAgent"]) == (True, None, None)


async def test_a_count_of_more_than_53_bits_is_exact(owner: Client, team: Team) -> None:
    key = (await make_key(team)).key.id
    row = (key, await database.now() // HOUR * HOUR, "", "VALID", LARGEST + 2)
    async with database.transaction():
        await database.fetch("INSERT INTO usage_hour (key, hour, permission, outcome, requests) VALUES ({}, {}, {}, {}, {})", *row)
    usage = (await owner.run("keys/usage", id=key))["usage"]
    assert usage["totalRequests"] == usage["byOutcome"][0]["total"] == LARGEST + 2
