"""Relay's Node, connections and pages, with our own ids as they are and a keyset instead of an offset."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

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
    edges = [Edge(cursor=sealed(window.place, position(row)), node=node(row)) for row in found.rows]
    info = PageInfo(
        has_next_page=found.has_next,
        has_previous_page=found.has_previous,
        start_cursor=edges[0].cursor if edges else None,
        end_cursor=edges[-1].cursor if edges else None,
    )
    return Connection(edges=edges, nodes=[edge.node for edge in edges], page_info=info, count=count)


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
