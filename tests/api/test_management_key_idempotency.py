"""`createManagementKey` with an idempotency key: one key, its secret shown once."""

from __future__ import annotations

import asyncio
from typing import Any

from app import database
from app.clock import DAY, HOUR, rfc3339
from app.management_keys import service as management_keys
from tests.conftest import Team
from tests.support.access import seen
from tests.support.graphql import Client


async def asked(**other: Any) -> dict[str, Any]:
    expires = rfc3339(await database.now() + 30 * DAY)
    return {"name": "CI", "scopes": ["keys.read"], "expiresAt": expires, "idempotencyKey": "ci"} | other


async def test_the_same_input_gives_the_same_key_and_another_input_is_a_conflict(owner: Client, team: Team) -> None:
    now = await database.now()
    database.freeze(now)
    given = await asked()
    first = await owner.change("management/create", **given)
    again = await owner.change("management/create", **given | {"name": " CI ", "scopes": ["keys.read", "keys.read"]})
    assert first["secret"] and (again["managementKey"], again["secret"]) == (first["managementKey"], None)
    for other in (
        {"name": "Other"},
        {"scopes": ["keys.write"]},
        {"allowedIps": ["203.0.113.9"]},
        {"expiresAt": rfc3339(now + 31 * DAY)},
    ):
        assert (await owner.change("management/create", **given | other))["code"] == "CONFLICT"
    assert await management_keys.count(await seen(team.owner, team.slug)) == 1
    database.freeze(now + 25 * HOUR)
    assert (await owner.change("management/create", **given))["secret"]


async def test_concurrent_requests_create_one_key(owner: Client, team: Team) -> None:
    given = await asked()
    made = await asyncio.gather(*(owner.change("management/create", **given) for _ in range(20)))
    assert len({each["managementKey"]["id"] for each in made}) == 1 and len([each for each in made if each["secret"]]) == 1
    assert await management_keys.count(await seen(team.owner, team.slug)) == 1


async def test_an_idempotency_key_has_1_to_200_characters(owner: Client) -> None:
    for wrong in ("", "x" * 201):
        refused = await owner.change("management/create", **await asked(idempotencyKey=wrong))
        assert [fault["field"] for fault in refused["fields"]] == ["idempotencyKey"]
