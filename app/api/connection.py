"""Relay's Node, connections and pages, with our own ids as they are and a keyset instead of an offset."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

import strawberry

from app.api.cursors import Position, Window, sealed
from app.api.resolving import field

T = TypeVar("T")
Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Slice(Generic[Row]):
    """A part of a list, in the list's order, and whether there is more of it on either side."""

    rows: Sequence[Row]
    has_next: bool
    has_previous: bool


@strawberry.interface(description="Whatever `node(id:)` finds.")
class Node:
    id: strawberry.ID = strawberry.field(
        description="The same string everywhere: here, at the gateway, in the dashboard's addresses, on the command line."
    )


@strawberry.type
class PageInfo:
    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None


@strawberry.type
class Edge(Generic[T]):
    cursor: str
    node: T


@dataclass(frozen=True, slots=True)
class Placed(Generic[T]):
    """An Edge as it is answered: the page's cursors are sealed, in one go, when the first is asked for."""

    node: T
    index: int
    cursors: Callable[[], list[str]]

    @property
    def cursor(self) -> str:
        return self.cursors()[self.index]


@dataclass(frozen=True, slots=True)
class Ends(Generic[Row]):
    """A PageInfo, likewise: each of its cursors is sealed when it is asked for."""

    found: Slice[Row]
    seal: Callable[[Row], str]

    @property
    def has_next_page(self) -> bool:
        return self.found.has_next

    @property
    def has_previous_page(self) -> bool:
        return self.found.has_previous

    @property
    def start_cursor(self) -> str | None:
        return self.seal(self.found.rows[0]) if self.found.rows else None

    @property
    def end_cursor(self) -> str | None:
        return self.seal(self.found.rows[-1]) if self.found.rows else None


@strawberry.type(description="A page of a list.")
class Connection(Generic[T]):
    edges: list[Edge[T]]
    nodes: list[T] = strawberry.field(description="The same without cursors.")
    page_info: PageInfo
    count: strawberry.Private[Callable[[], Awaitable[int]]]

    @field("How many there are on all pages.")
    async def total_count(self) -> int:
        return await self.count()


def page(
    window: Window,
    found: Slice[Row],
    *,
    node: Callable[[Row], T],
    position: Callable[[Row], Position],
    count: Callable[[], Awaitable[int]],
) -> Connection[T]:
    """What was found of a list, as its client reads it."""

    def seal(row: Row) -> str:
        return sealed(window.place, position(row))

    cursors = functools.cache(lambda: [seal(row) for row in found.rows])
    nodes = [node(row) for row in found.rows]
    # GraphQL reads attributes, whatever the class is that has them.
    edges = cast("list[Edge[T]]", [Placed(each, index, cursors) for index, each in enumerate(nodes)])
    return Connection(edges=edges, nodes=nodes, page_info=cast("PageInfo", Ends(found, seal)), count=count)


def read(window: Window, rows: Sequence[Row]) -> Slice[Row]:
    """Of rows that a store read in the window's direction, one more than its limit to see whether there are more."""
    more, kept = len(rows) > window.limit, list(rows[: window.limit])
    if window.backwards:
        return Slice(kept[::-1], has_next=window.before is not None, has_previous=more)
    return Slice(kept, has_next=more, has_previous=window.after is not None)


def cut(window: Window, rows: Sequence[Row], position: Callable[[Row], Position]) -> Slice[Row]:
    """Of a list that is short enough to be read whole, in rising order of its positions."""
    inside = [
        row
        for row in rows
        if (window.after is None or position(row) > window.after) and (window.before is None or position(row) < window.before)
    ]
    return read(window, (inside[::-1] if window.backwards else inside)[: window.limit + 1])


def known(rows: Sequence[Any]) -> Callable[[], Awaitable[int]]:
    """The count of a list that has been read whole."""

    async def count() -> int:
        return len(rows)

    return count
