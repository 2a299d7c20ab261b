"""Instants are whole microseconds since 1970 UTC inside, `datetime` with UTC at the edges. Nothing else converts them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
YEAR: Final = 365 * DAY

# An instant further ahead of the database's clock is void: it was written while the clock was ahead.
TOLERATED: Final = MINUTE

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
# What anybody can mean, and far enough from the ends of the calendar for any time zone.
FIRST: Final = 0
LAST: Final = (datetime(9001, 1, 1, tzinfo=UTC) - _EPOCH) // _MICROSECOND - 1


class NotMeant(ValueError):
    """A time outside the years 1970 to 9000."""


def to_datetime(instant: int) -> datetime:
    """The instant in UTC, exact to the microsecond; one beyond the calendar is its last or first."""
    try:
        return _EPOCH + timedelta(microseconds=instant)
    except OverflowError:
        return (datetime.max if instant > 0 else datetime.min).replace(tzinfo=UTC)


def in_zone(instant: int, zone: str) -> datetime:
    """The instant as clocks in a time zone show it; one outside the years 1970 to 9000 is the nearest of them."""
    return to_datetime(min(max(instant, FIRST), LAST)).astimezone(ZoneInfo(zone))


def from_datetime(moment: datetime) -> int:
    """Whole microseconds. ValueError for a moment without an offset, because nobody knows when it was; NotMeant for one
    outside the years 1970 to 9000, because that is where mistakes lie."""
    if moment.tzinfo is None:
        raise ValueError("a time needs an offset, for example 2027-01-31T12:00:00Z")
    instant = (moment - _EPOCH) // _MICROSECOND
    if not is_meant(instant):
        raise NotMeant("a time lies in the years 1970 to 9000")
    return instant


# Stricter than ISO 8601: a full date, `T`, a full time, and always an offset; in either case (RFC 3339 section 5.6).
_RFC3339: Final = re.compile(r"(\d{4}-\d{2}-\d{2})[Tt](\d{2}:\d{2}:\d{2})(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)


def parse_rfc3339(text: str) -> int:
    """The one reader of instants that others write; digits beyond the microsecond are dropped. ValueError for what is not RFC 3339
    with an offset, NotMeant for a time outside the years 1970 to 9000."""
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise ValueError("an instant is RFC 3339 with an offset, for example 2027-01-31T12:00:00Z")
    date, time, fraction, offset = match.groups()
    return from_datetime(
        datetime.fromisoformat(f"{date}T{time}{(fraction or '.0')[:7]:0<7}{offset.upper().replace('Z', '+00:00')}")
    )


def is_meant(instant: int) -> bool:
    """Whether it lies in the years 1970 to 9000."""
    return FIRST <= instant <= LAST


def rfc3339(instant: int) -> str:
    """`2026-11-23T20:15:00.123456Z`, the form used by `/v1`, the CLI and the audit chain."""
    return to_datetime(instant).isoformat(timespec="microseconds").replace("+00:00", "Z")


def hour_of(instant: int) -> int:
    """The start of the instant's hour in UTC."""
    return instant - instant % HOUR
