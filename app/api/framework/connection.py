"""Relay's Node and connections, with our ids unencoded and keyset pagination instead of offsets."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar, cast

import strawberry

from app.api.framework.authorization import ANYONE, AS_RETURNED
from app.api.framework.cursors import encode_cursor
from app.api.framework.decorators import field, interface, object_type
from app.paging import Page, Position

ID: Final = "The same string everywhere: here, at the gateway, in the dashboard's addresses, on the command line."

T = TypeVar("T")
Row = TypeVar("Row")


@interface("Whatever `node(id:)` finds.", requires=ANYONE)
class Node:
    id: strawberry.ID = strawberry.field(description=ID)


@object_type(requires=ANYONE)
class PageInfo:
    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None


@object_type(requires=AS_RETURNED)
class Edge(Generic[T]):
    cursor: str
    node: T


@dataclass(frozen=True, slots=True)
class LazyEdge(Generic[T]):
    """An Edge that seals lazily: the first request for a cursor seals all of the page at once."""

    node: T
    index: int
    cursors: Callable[[], list[str]]

    @property
    def cursor(self) -> str:
        return self.cursors()[self.index]


@dataclass(frozen=True, slots=True)
class LazyPageInfo(Generic[Row]):
    """A PageInfo that seals each of its cursors on request."""

    found: Page[Row]
    seal: Callable[[Row], str]

    @property
    def has_next_page(self) -> bool:
        return self.found.has_next

    @property
    def has_previous_page(self) -> bool:
        return self.found.has_previous

    @property
    def start_cursor(self) -> str | None:
        return self.seal(self.found.items[0]) if self.found.items else None

    @property
    def end_cursor(self) -> str | None:
        return self.seal(self.found.items[-1]) if self.found.items else None


@object_type("A page of a list.", requires=AS_RETURNED)
class Connection(Generic[T]):
    edges: list[Edge[T]]
    nodes: list[T] = strawberry.field(description="The same without cursors.")
    page_info: PageInfo
    count: strawberry.Private[Callable[[], Awaitable[int]]]

    @field("How many there are on all pages.")
    async def total_count(self) -> int:
        return await self.count()


def page(
    name: str,
    found: Page[Row],
    *,
    node: Callable[[Row], T],
    position: Callable[[Row], Position],
    count: Callable[[], Awaitable[int]],
) -> Connection[T]:
    """The connection for a page of a list; `name` as for `ConnectionArgs.of`."""

    def seal(row: Row) -> str:
        return encode_cursor(name, position(row))

    cursors = functools.cache(lambda: [seal(row) for row in found.items])
    nodes = [node(row) for row in found.items]
    # GraphQL reads attributes and does not check the class.
    edges = cast("list[Edge[T]]", [LazyEdge(each, index, cursors) for index, each in enumerate(nodes)])
    return Connection(edges=edges, nodes=nodes, page_info=cast("PageInfo", LazyPageInfo(found, seal)), count=count)


def count_of(rows: Sequence[Any]) -> Callable[[], Awaitable[int]]:
    """A count function for a list that was read completely."""

    async def count() -> int:
        return len(rows)

    return count
