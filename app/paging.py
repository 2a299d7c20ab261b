"""A page of a sorted list: the requested window, and the entries found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")
U = TypeVar("U")
# The sort key of an entry, ending with a unique value.
Position = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Entries in the list's order, regardless of the direction of reading, and whether there are more on either side."""

    items: tuple[T, ...]
    has_next: bool
    has_previous: bool

    def of(self, items: Sequence[U]) -> Page[U]:
        """The same page with other entries."""
        return Page(tuple(items), self.has_next, self.has_previous)


@dataclass(frozen=True, slots=True)
class Window:
    """At most `limit` entries between two positions, both exclusive; `backwards` takes them from the end of the list."""

    limit: int
    after: Position | None = None
    before: Position | None = None
    backwards: bool = False

    @property
    def read_limit(self) -> int:
        """How many rows to read: one more than requested, to see whether there are more."""
        return self.limit + 1

    def page(self, rows: Sequence[T]) -> Page[T]:
        """The page made of rows read in the window's direction, at most `read_limit` of them."""
        more, kept = len(rows) > self.limit, tuple(rows[: self.limit])
        if self.backwards:
            return Page(kept[::-1], has_next=self.before is not None, has_previous=more)
        return Page(kept, has_next=more, has_previous=self.after is not None)

    def page_of_all(self, rows: Sequence[T], position: Callable[[T], Position]) -> Page[T]:
        """The page of a complete list, sorted by ascending position."""
        inside = [
            row
            for row in rows
            if (self.after is None or position(row) > self.after) and (self.before is None or position(row) < self.before)
        ]
        return self.page((inside[::-1] if self.backwards else inside)[: self.read_limit])
