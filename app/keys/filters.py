"""Filters, sort orders and cursor positions of a list of keys."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias

from app.catalogue import Catalogue
from app.keys.key import ApiKey, RotationDue, Status
from app.paging import Position

LAST_INSTANT: Final = 2**63 - 1
# Twice the longest name; databases refuse to compare texts beyond some length.
LONGEST_SEARCH: Final = 200
# The name of a label, and its value; None: any value.
WantedLabel: TypeAlias = tuple[str, str | None]


class Order(StrEnum):
    CREATED_AT = "CREATED_AT"
    NAME = "NAME"
    LAST_USED_AT = "LAST_USED_AT"
    EXPIRES_AT = "EXPIRES_AT"
    ROTATE_BY = "ROTATE_BY"


@dataclass(frozen=True, slots=True)
class InstantRange:
    """Instants later than `after` and earlier than `before`, in microseconds; None: no bound. A null time is in no such range."""

    after: int | None = None
    before: int | None = None


@dataclass(frozen=True, slots=True)
class KeyFilter:
    """`search` matches part of a name, the start of a prefix, a whole id, and the keys with the ids in `found`; `name` is a whole
    name; `created_by` is the id of a user or a management key, `owner` that of a user; a key must be in one of the `environments`
    and have all of the `labels`. The other fields name what a key must have."""

    search: str = ""
    found: tuple[str, ...] = ()
    statuses: tuple[Status, ...] = ()
    environment: str | None = None
    permission: str | None = None
    rotation: tuple[RotationDue, ...] = ()
    name: str | None = None
    environments: tuple[str, ...] = ()
    created_by: str | None = None
    never_used: bool | None = None
    created_at: InstantRange = InstantRange()
    last_used_at: InstantRange = InstantRange()
    expires_at: InstantRange = InstantRange()
    labels: tuple[WantedLabel, ...] = ()
    owner: str | None = None


def position_of(key: ApiKey, order: Order, known: Catalogue, now: int = 0) -> Position:
    """Unused keys sort as the beginning of time; keys that never expire, or need no rotation at `now`, as its end."""
    match order:
        case Order.CREATED_AT:
            return (key.created_at, key.id)
        case Order.NAME:
            return (name_key(key.name), key.id)
        case Order.LAST_USED_AT:
            return (key.last_used_at or 0, key.id)
        case Order.EXPIRES_AT:
            return (LAST_INSTANT if key.expires_at is None else key.expires_at, key.id)
        case Order.ROTATE_BY:
            rotate_by = key.rotate_by(known.environment(key.environment).rotate_every_days)
            return (LAST_INSTANT if rotate_by is None or key.is_over(now) else rotate_by, key.id)


def name_key(name: str) -> str:
    """The form in which names are searched and sorted."""
    return unicodedata.normalize("NFC", name).casefold()
