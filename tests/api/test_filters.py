"""Filters of lists: each finds exactly the matching objects, the count agrees, and they can be combined."""

from __future__ import annotations

from typing import Any

import pytest

from app import database
from app.clock import DAY, HOUR, rfc3339
from app.keys import service as key_service
from app.keys.key import KeySettings
from tests.api.conftest import program
from tests.conftest import Team, make_key
from tests.support.callers import use
from tests.support.graphql import Client
from tests.support.statements import counted

NOW = 1_900_000_000_000_000


@pytest.fixture
async def keys(team: Team) -> dict[str, str]:
    """Name → id: three keys, created on three days by three actors, used on different days."""
    made = {}
    for day, (name, changes) in enumerate(
        {
            "Web": {"expires_at": NOW + 20 * DAY, "labels": ("team=web", "pci")},
            "web": {"environment": "development"},
            "Jobs": {"environment": "staging", "expires_at": NOW + 10 * DAY},
        }.items()
    ):
        database.freeze(NOW + day * DAY)
        made[name] = (await make_key(team, name, **changes)).key.id
    database.freeze(NOW + 3 * DAY)
    maker = await program(team.owner, team.slug, "keys.write")
    asked = {"name": "Made by CI", "environment": "production", "permissions": ["pdf.read"]}
    made["Made by CI"] = (await maker.change("keys/create", **asked))["apiKey"]["id"]
    await use(made["Web"], at=NOW + DAY)
    await use(made["web"], at=NOW + 2 * DAY)
    return made


async def names(client: Client, **filter: Any) -> set[str]:
    found = (await client.run("keys/list", filter=filter))["apiKeys"]
    assert found["totalCount"] == len(found["nodes"])
    return {key["name"] for key in found["nodes"]}


def day(number: int) -> str:
    return rfc3339(NOW + number * DAY)


@pytest.mark.parametrize(
    ("filter", "expected"),
    [
        ({"name": "Web"}, {"Web"}),
        ({"name": " web "}, {"web"}),
        ({"name": "We"}, set()),
        ({"environments": ["development", "staging"]}, {"web", "Jobs"}),
        ({"environments": []}, {"Web", "web", "Jobs", "Made by CI"}),
        ({"environments": ["nowhere"]}, set()),
        ({"environment": "staging", "environments": ["development"]}, set()),
        ({"createdAt": {"after": day(0), "before": day(2)}}, {"web"}),
        ({"createdAt": {"before": day(2)}}, {"Web", "web"}),
        ({"createdAt": {}}, {"Web", "web", "Jobs", "Made by CI"}),
        ({"lastUsedAt": {"after": day(1)}}, {"web"}),
        ({"lastUsedAt": {"before": day(2)}}, {"Web"}),
        ({"expiresAt": {"before": day(15)}}, {"Jobs"}),
        ({"expiresAt": {"after": day(0)}}, {"Web", "Jobs"}),
        ({"labels": [{"name": "team", "value": "web"}, {"name": "pci", "value": None}]}, {"Web"}),
        ({"labels": [{"name": "team"}], "neverUsed": True}, set()),
        ({"labels": []}, {"Web", "web", "Jobs", "Made by CI"}),
        ({"neverUsed": True}, {"Jobs", "Made by CI"}),
        ({"neverUsed": False}, {"Web", "web"}),
        ({"neverUsed": None, "name": None, "createdBy": None, "expiresAt": None}, {"Web", "web", "Jobs", "Made by CI"}),
        ({"neverUsed": True, "environments": ["production"]}, {"Made by CI"}),
    ],
)
async def test_a_filter_of_keys_finds_the_matching_keys(
    owner: Client, keys: dict[str, str], filter: Any, expected: set[str]
) -> None:
    assert await names(owner, **filter) == expected


async def test_keys_are_found_by_their_creator(owner: Client, team: Team, keys: dict[str, str]) -> None:
    assert await names(owner, createdBy=team.owner.id) == {"Web", "web", "Jobs"}
    maker = (await owner.run("keys/show", id=keys["Made by CI"]))["createdBy"]
    assert await names(owner, createdBy=maker["actorId"]) == {"Made by CI"}
    assert await names(owner, createdBy=team.viewer.id) == set()


async def test_filtered_keys_are_paged_in_every_order_without_loss(owner: Client, keys: dict[str, str]) -> None:
    for field in ("CREATED_AT", "NAME", "LAST_USED_AT", "EXPIRES_AT", "ROTATE_BY"):
        seen, after = [], None
        for _ in range(3):
            order = {"field": field, "direction": "DESC"}
            filter = {"createdAt": {"after": day(-1)}, "lastUsedAt": {"before": day(9)}}
            page = (await owner.run("keys/list", first=1, after=after, filter=filter, orderBy=order))["apiKeys"]
            seen += [key["name"] for key in page["nodes"]]
            after = page["pageInfo"]["endCursor"] or after
        assert sorted(seen) == ["Web", "web"], field


async def test_all_filters_together_take_as_many_statements_as_none(owner: Client, team: Team, keys: dict[str, str]) -> None:
    spans = {name: {"after": day(-1), "before": day(30)} for name in ("createdAt", "lastUsedAt", "expiresAt")}
    every = spans | {"name": "Web", "environments": ["production"], "createdBy": team.owner.id, "neverUsed": False, "search": "web"}
    every |= {"labels": [{"name": "team"}, {"name": "pci"}]}
    spent = []
    for filter in ({}, every):
        with counted() as statements:
            assert "Web" in await names(owner, **filter)
        spent.append(len(statements))
    assert spent[0] == spent[1]


async def told(client: Client, order: str = "DESC", **filter: Any) -> list[str]:
    """Action and hour of every event, read in pages of two."""
    found, after = [], None
    while True:
        page = (await client.run("audit/list", first=2, after=after, order=order, filter=filter))["auditEvents"]
        found += [f"{event['action']} {event['at'][8:13]}" for event in page["nodes"]]
        if not page["pageInfo"]["hasNextPage"]:
            assert page["totalCount"] == len(found)
            return found
        after = page["pageInfo"]["endCursor"]


async def test_the_audit_log_is_filtered_by_action_actor_and_time_and_read_from_either_end(owner: Client, team: Team) -> None:
    ids = []
    for hour, actor in enumerate((team.owner, team.editor, team.owner)):
        database.freeze(NOW + hour * HOUR)
        ids.append((await key_service.create(actor, team.slug, KeySettings(f"Key {hour}", "production", ("pdf.read",)))).key.id)
    database.freeze(NOW + 3 * HOUR)
    await key_service.suspend(team.editor, ids[0])
    hours = [rfc3339(NOW + hour * HOUR)[8:13] for hour in range(4)]
    oldest = [*(f"key.created {hour}" for hour in hours[:3]), f"key.suspended {hours[3]}"]
    assert await told(owner) == oldest[::-1]
    assert await told(owner, order="ASC") == oldest
    assert await told(owner, action="key.created", order="ASC") == oldest[:3]
    assert await told(owner, action="key") == []
    assert await told(owner, actor=team.editor.id) == [oldest[3], oldest[1]]
    since, until = (rfc3339(NOW + hour * HOUR) for hour in (1, 3))
    assert await told(owner, since=since, until=until, order="ASC") == oldest[1:3]
    assert await told(owner, since=since, target=ids[0]) == [oldest[3]]
    assert await told(owner, since=since, until=until, actor=team.owner.id, action="key.created") == [oldest[2]]
    assert await told(owner, search="KEY 0") == [oldest[3], oldest[0]]
    assert await told(owner, search="key 0", action="key.suspended") == [oldest[3]]


async def test_a_client_reading_oldest_first_gets_later_events_from_the_same_cursor(owner: Client, team: Team) -> None:
    await make_key(team, "First")
    page = (await owner.run("audit/list", order="ASC"))["auditEvents"]
    cursor = page["pageInfo"]["endCursor"]
    assert (await owner.run("audit/list", order="ASC", after=cursor))["auditEvents"]["nodes"] == []
    later = (await make_key(team, "Second")).key.id
    (event,) = (await owner.run("audit/list", order="ASC", after=cursor))["auditEvents"]["nodes"]
    assert event["target"] == later
    last = "{ workspace { auditEvents(order: ASC, last: 1) { nodes { target } pageInfo { hasPreviousPage hasNextPage } } } }"
    assert (await owner.ask(last))["workspace"]["auditEvents"] == {
        "nodes": [{"target": later}],
        "pageInfo": {"hasPreviousPage": True, "hasNextPage": False},
    }
    (error,) = await owner.refused("query($a: String) { workspace { auditEvents(after: $a) { totalCount } } }", a=cursor)
    assert error["extensions"]["code"] == "BAD_USER_INPUT"


async def test_a_permission_that_is_too_long_for_the_database_is_refused(owner: Client) -> None:
    query = "query($p: String!) { workspace { apiKeys(filter: {permission: $p}) { totalCount } } }"
    (error,) = await owner.refused(query, p="a" * 60_000)
    assert error["extensions"]["code"] == "VALIDATION_FAILED"
