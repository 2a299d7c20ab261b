"""Clients keep what they read by type and id: the same two must mean the same fields everywhere in an answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from app.keys import service as keys
from app.keys.rules import KeyInput
from tests.conftest import Team
from tests.support.graphql import Client

ACTOR = "{ __typename kind actorId name }"
EVERYTHING = f"""{{ workspace {{ __typename id
  apiKeys {{ nodes {{ __typename id name createdBy {ACTOR} }} }}
  auditEvents {{ nodes {{ __typename id action actor {ACTOR} }} }}
}} }}"""


async def test_every_change_keeps_the_name_its_maker_had_then_also_in_a_client_s_cache(owner: Client, team: Team) -> None:
    for name in ("Before", "After"):
        await keys.create(replace(team.owner, name=name), team.slug, KeyInput(name, "production", ("pdf.read",)))
    answer = await owner.ask(EVERYTHING)
    makers = {key["name"]: key["createdBy"] for key in answer["workspace"]["apiKeys"]["nodes"]}
    assert {made: maker["name"] for made, maker in makers.items()} == {"Before": "Before", "After": "After"}
    assert {maker["actorId"] for maker in makers.values()} == {team.owner.id}
    cache: dict[tuple[str, str], dict[str, Any]] = {}
    for thing in things(answer):
        place = (thing["__typename"], thing["id"])
        merged = cache.setdefault(place, {})
        assert all(merged.get(name, value) == value for name, value in thing.items()), place
        merged |= thing


def things(value: Any) -> Iterator[dict[str, Any]]:
    """Everything in an answer that a cache would keep under its type and id."""
    if isinstance(value, dict):
        if "id" in value:
            yield value
        value = [*value.values()]
    for inner in value if isinstance(value, list) else []:
        yield from things(inner)
