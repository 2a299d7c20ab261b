"""Clients cache objects by type and id: the same type and id must have the same fields everywhere in an answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from graphql import (
    FieldNode,
    GraphQLObjectType,
    SelectionSetNode,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    build_schema,
    get_named_type,
    parse,
    visit,
)

from app import database
from app.access.actor import Role
from app.keys import service as keys
from app.keys.key import KeySettings
from app.members import service as members
from app.paths import SCHEMA
from tests.api.conftest import program
from tests.conftest import Team
from tests.support.graphql import Client, operation, operations

ACTOR = "{ __typename kind actorId name }"
EVERYTHING = f"""{{ workspace {{ __typename id
  apiKeys {{ nodes {{ __typename id name createdBy {ACTOR} }} }}
  auditEvents {{ nodes {{ __typename id action actor {ACTOR} }} }}
}} }}"""


async def test_every_change_keeps_the_name_its_actor_had_then_even_in_a_clients_cache(owner: Client, team: Team) -> None:
    for name in ("Before", "After"):
        await keys.create(replace(team.owner, name=name), team.slug, KeySettings(name, "production", ("pdf.read",)))
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
    """All objects in an answer that a cache would store by type and id."""
    if isinstance(value, dict):
        if "id" in value:
            yield value
        value = [*value.values()]
    for inner in value if isinstance(value, list) else []:
        yield from things(inner)


NODE = "query($id: ID!) { node(id: $id) { __typename id } }"


async def test_members_invitations_and_audit_events_are_read_again_by_their_id(
    owner: Client, viewer: Client, stranger: Client, team: Team
) -> None:
    await members.invite(team.owner, team.slug, "new@example.org", Role.VIEWER)
    fields = ("members", "invitations", "auditEvents")
    lists = " ".join(f"{name}(first: 1) {{ nodes {{ __typename id }} }}" for name in fields)
    workspace = (await owner.ask(f"{{ workspace {{ {lists} }} }}"))["workspace"]
    auditor, reader = [await program(team.owner, team.slug, scope) for scope in ("audit.read", "workspace.read")]
    for name in fields:
        (thing,) = workspace[name]["nodes"]
        for client in (owner, viewer, auditor if name == "auditEvents" else reader):
            assert await client.ask(NODE, id=thing["id"]) == {"node": thing}
        for client in (stranger, reader if name == "auditEvents" else auditor):
            assert await client.ask(NODE, id=thing["id"]) == {"node": None}


async def test_the_systems_own_entries_have_no_user(owner: Client, team: Team) -> None:
    rows = await database.fetch("SELECT id FROM audit_entry WHERE chain NOT IN (SELECT id FROM workspace)")
    for row in rows:
        assert await owner.ask(NODE, id=row["id"]) == {"node": None}


@pytest.mark.parametrize("name", operations())
def test_operations_read_the_id_of_every_object_that_has_one(name: str) -> None:
    schema = build_schema(SCHEMA.read_text(encoding="utf-8"))
    types, without = TypeInfo(schema), list[str]()

    class Selections(Visitor):
        def enter_selection_set(self, node: SelectionSetNode, *_: object) -> None:
            found = get_named_type(types.get_type())
            chosen = {each.name.value for each in node.selections if isinstance(each, FieldNode)}
            if isinstance(found, GraphQLObjectType) and "id" in found.fields and "id" not in chosen:
                without.append(f"{found.name}: {sorted(chosen)}")

    visit(parse(operation(name)), TypeInfoVisitor(types, Selections()))
    assert without == []
