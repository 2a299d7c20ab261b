"""What a field requires, by its own declaration or its type's, and what is refused for want of one."""

from __future__ import annotations

from typing import Generic, TypeVar

import strawberry
from graphql import GraphQLSchema

from app.access.policy import Action
from app.api.framework import authorization
from app.api.framework.authorization import ANYONE, AS_RETURNED
from app.api.framework.decorators import attribute, field, interface, mutation, object_type

T = TypeVar("T")


@interface("Anything.", requires=ANYONE)
class Thing:
    id: str


@strawberry.type
class Undeclared(Thing):
    name: str
    size: int = attribute("How large it is.", requires=ANYONE)


@object_type("Some of them.", requires=AS_RETURNED)
class Several(Generic[T]):
    items: list[T]


@object_type("A key.", requires=Action.READ_KEYS)
class Key(Thing):
    open: str = attribute("For anyone.", requires=ANYONE)

    @field("Those before it.")
    def before(self) -> Several[Key]:
        raise NotImplementedError

    @field("Its usage.", requires=Action.READ_USAGE)
    def usage(self) -> Several[int]:
        raise NotImplementedError


@strawberry.type
class Query:
    @field("A key.", requires=ANYONE)
    def key(self) -> Key:
        raise NotImplementedError

    @field("Their links.", requires=Action.READ_MANAGEMENT_KEYS)
    def links(self) -> Several[str]:
        raise NotImplementedError

    @strawberry.field(description="Without a declaration.")
    def other(self) -> Undeclared:
        raise NotImplementedError

    @field("Their sizes, for some.", requires=Action.READ_KEYS)
    def sizes(self) -> Several[float]:
        raise NotImplementedError

    @field("The same for others.", requires=Action.READ_USAGE)
    def usual_sizes(self) -> Several[float]:
        raise NotImplementedError


@strawberry.type
class Mutation:
    @mutation("Makes a key.", requires=Action.CREATE_API_KEY)
    async def create(self) -> Key:
        raise NotImplementedError


def schema() -> GraphQLSchema:
    return strawberry.Schema(Query, Mutation)._schema


def test_a_field_requires_what_it_declares_else_what_its_type_declares() -> None:
    actions = authorization.actions_of(schema())
    assert {name: actions[f"Key.{name}"] for name in ("id", "open", "before", "usage")} == {
        "id": Action.READ_KEYS,
        "open": None,
        "before": Action.READ_KEYS,
        "usage": Action.READ_USAGE,
    }
    assert (actions["Thing.id"], actions["Query.key"], actions["Mutation.create"]) == (None, None, Action.CREATE_API_KEY)


def test_a_type_of_a_field_requires_what_the_field_does() -> None:
    actions = authorization.actions_of(schema())
    assert actions["KeySeveral.items"] is Action.READ_KEYS
    assert actions["IntSeveral.items"] is Action.READ_USAGE


def test_nothing_is_open_because_nobody_declared_it() -> None:
    """Not through the interface of a type, and not where two fields with different actions return the same."""
    made = schema()
    missing = authorization.undeclared(made, authorization.actions_of(made))
    assert sorted(missing) == ["FloatSeveral.items", "Query.other", "Undeclared.id", "Undeclared.name"]


def test_the_requirement_ends_the_description_of_the_type_if_all_its_fields_have_it_else_of_each_field() -> None:
    made = schema()
    authorization.describe(made, authorization.actions_of(made))
    key, query = made.type_map["Key"], made.type_map["Query"]
    assert key.description == "A key."
    assert {name: field.description for name, field in key.fields.items()} == {  # type: ignore[attr-defined]
        "id": "Requires the scope `keys.read`.",
        "open": "For anyone.",
        "before": "Those before it. Requires the scope `keys.read`.",
        "usage": "Its usage. Requires the scope `usage.read`.",
    }
    assert query.fields["links"].description == "Their links. Not for management keys."  # type: ignore[attr-defined]
    assert made.type_map["IntSeveral"].description == "Some of them. Requires the scope `usage.read`."
