"""Attributes that are read in one go are answered as Strawberry's own executor answers them, faults included."""

from __future__ import annotations

from enum import Enum
from types import SimpleNamespace
from typing import Any

import pytest
import strawberry
from graphql import ExecutionResult, execute, parse
from strawberry.execution import optimized_is_awaitable
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from app.api.execution import attributes
from app.api.execution.attributes import MOST_AT_ONCE, AttributeExecution
from tests.api.test_statement_counts import EVERYTHING
from tests.conftest import make_key, make_team
from tests.support.graphql import Client


@strawberry.enum
class Color(Enum):
    RED = "red"


@strawberry.interface
class Named:
    name: str


@strawberry.type
class Leaf(Named):
    color: Color | None


@strawberry.type
class Branch(Named):
    leaf: Leaf | None
    leaves: list[Leaf]
    size: int
    optional: list[int] | None

    @strawberry.field
    def twice(self) -> int:
        return 2 * self.size


@strawberry.type
class Query:
    @strawberry.field
    def branch(self, info: strawberry.Info[Any, None]) -> Branch | None:
        return info.context  # type: ignore[no-any-return]  # any object that has the attributes

    @strawberry.field
    def named(self) -> Named:
        return Leaf(name="a", color=None)


SCHEMA = strawberry.Schema(Query, types=[Leaf])._schema
PLAIN = "{ branch { __typename name short: size leaf { name color } leaves { ...on Leaf { name } color } optional } }"
MIXED = "{ branch { name twice leaf { name } leaves { name } size } named { __typename name ... on Leaf { color } } }"


def answer(executor: type[StrawberryGraphQLCoreExecutionContext], query: str, branch: object) -> Any:
    found = execute(SCHEMA, parse(query), context_value=branch, is_awaitable=optimized_is_awaitable, executor_class=executor)  # type: ignore[arg-type]
    assert isinstance(found, ExecutionResult)
    return found.formatted


def branch(**changed: Any) -> Branch:
    red = Leaf(name="a", color=Color.RED)
    whole: dict[str, Any] = {"name": "b", "leaf": red, "leaves": [red, Leaf(name="c", color=None)], "size": 3, "optional": [1, 2]}
    return Branch(**(whole | changed))


WHOLE = branch()
FAULTS = {
    "nothing": branch(leaf=None, leaves=[], optional=None),
    "null where none may be": branch(name=None),
    "null in an inner object": branch(leaf=Leaf(name=None, color=None)),  # type: ignore[arg-type]
    "null in an object of a list": branch(leaves=[Leaf(name=None, color=None)]),  # type: ignore[arg-type]
    "null in a list": branch(leaves=[None]),
    "null for a list": branch(leaves=None),
    "no list": branch(leaves=7),
    "a value out of range": branch(size=2**31),
    "an unknown value of an enum": branch(leaf=Leaf(name="a", color="blue")),  # type: ignore[arg-type]
    "another type": branch(leaf=branch()),
    "a missing attribute": SimpleNamespace(name="b"),
    "an exception as a value": branch(name=ValueError("no name")),
    "a long list": branch(leaves=[Leaf(name="a", color=None)] * (MOST_AT_ONCE + 1)),
}


@pytest.mark.parametrize("query", [PLAIN, MIXED], ids=["plain", "mixed"])
@pytest.mark.parametrize("value", [WHOLE, *FAULTS.values()], ids=["whole", *FAULTS])
def test_the_answer_is_that_of_strawberrys_executor(query: str, value: object) -> None:
    assert answer(AttributeExecution, query, value) == answer(StrawberryGraphQLCoreExecutionContext, query, value)


def test_skipped_fields_and_fragments_are_as_strawberry_answers_them() -> None:
    query = "{ branch { name @skip(if: true) ...F leaf {...on Leaf @include(if: true) {name}} } } fragment F on Branch {size name}"
    assert answer(AttributeExecution, query, WHOLE) == {"data": {"branch": {"size": 3, "name": "b", "leaf": {"name": "a"}}}}


def test_an_object_of_plain_attributes_is_read_without_resolving_its_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    resolved: list[str] = []
    original = StrawberryGraphQLCoreExecutionContext.execute_field

    def noted(self: Any, parent_type: Any, *arguments: Any) -> Any:
        resolved.append(parent_type.name)
        return original(self, parent_type, *arguments)

    monkeypatch.setattr(StrawberryGraphQLCoreExecutionContext, "execute_field", noted)
    answer(AttributeExecution, PLAIN, WHOLE)
    assert resolved == ["Query"]


async def test_a_page_with_everything_is_the_same_without_reading_attributes_in_one_go(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    team = await make_team(plan="scale_enterprise")
    for number in range(12):
        await make_key(team, f"Key {number}")
    owner = Client(team.owner)
    found = await owner.ask(EVERYTHING, first=12)
    monkeypatch.setattr(attributes.AttributeExecution, "_once", lambda *_: None)
    assert found == await owner.ask(EVERYTHING, first=12)
