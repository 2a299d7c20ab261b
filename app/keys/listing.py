"""What a list of keys can be asked: filters, an order, and a place to go on from."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from app import catalogue
from app.keys.key import ApiKey, RotationDue, Status

LAST_INSTANT: Final = 2**63 - 1
# Twice the longest name; beyond some length databases refuse to compare.
LONGEST_SEARCH: Final = 200


class Order(StrEnum):
    CREATED_AT = "CREATED_AT"
    NAME = "NAME"
    LAST_USED_AT = "LAST_USED_AT"
    EXPIRES_AT = "EXPIRES_AT"
    ROTATE_BY = "ROTATE_BY"


@dataclass(frozen=True, slots=True)
class Between:
    """Instants later than `after` and earlier than `before`, in microseconds; None: no bound. A time that is not is neither."""

    after: int | None = None
    before: int | None = None


@dataclass(frozen=True, slots=True)
class KeyFilter:
    """`search` is part of a name or the beginning of a prefix, `name` the whole of one; `created_by` is the id of a user or of a
    management key, and several `environments` are any of them. The others name what a key must have."""

    search: str = ""
    statuses: tuple[Status, ...] = ()
    environment: str | None = None
    permission: str | None = None
    rotation: tuple[RotationDue, ...] = ()
    name: str | None = None
    environments: tuple[str, ...] = ()
    created_by: str | None = None
    never_used: bool | None = None
    created_at: Between = Between()
    last_used_at: Between = Between()
    expires_at: Between = Between()


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page ends: the sort value of its last key, and the key's id for those that share the value."""

    value: int | str
    id: str


@dataclass(frozen=True, slots=True)
class Window:
    """`limit` keys after one place, or before one; `backwards` takes them from the end of the list."""

    limit: int
    after: Place | None = None
    before: Place | None = None
    backwards: bool = False


@dataclass(frozen=True, slots=True)
class KeyPage:
    """Keys in the list's order, whatever the direction they were fetched in."""

    keys: tuple[ApiKey, ...]
    has_next: bool
    has_previous: bool


def place_of(key: ApiKey, order: Order, now: int = 0) -> Place:
    """Never used sorts as the beginning of time; never expiring, and what needs no rotation at `now`, as its end."""
    match order:
        case Order.CREATED_AT:
            return Place(key.created_at, key.id)
        case Order.NAME:
            return Place(name_key(key.name), key.id)
        case Order.LAST_USED_AT:
            return Place(key.last_used_at or 0, key.id)
        case Order.EXPIRES_AT:
            return Place(LAST_INSTANT if key.expires_at is None else key.expires_at, key.id)
        case Order.ROTATE_BY:
            rotate_by = key.rotate_by(catalogue.current().environment(key.environment).rotate_every_days)
            return Place(LAST_INSTANT if rotate_by is None or key.is_over(now) else rotate_by, key.id)


def name_key(name: str) -> str:
    """The form in which names are searched and sorted."""
    return unicodedata.normalize("NFC", name).casefold()
