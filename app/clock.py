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
# The range of plausible times, far enough from the limits of `datetime` for any time zone.
FIRST: Final = 0
LAST: Final = (datetime(9001, 1, 1, tzinfo=UTC) - _EPOCH) // _MICROSECOND - 1


class OutOfRange(ValueError):
    """A time outside the years 1970 to 9000."""


def to_datetime(instant: int) -> datetime:
    """The instant in UTC, exact to the microsecond; one out of range becomes the nearest valid one."""
    try:
        return _EPOCH + timedelta(microseconds=instant)
    except OverflowError:
        return (datetime.max if instant > 0 else datetime.min).replace(tzinfo=UTC)


def in_zone(instant: int, zone: str) -> datetime:
    """The instant in a time zone; one outside the years 1970 to 9000 is the nearest of them."""
    return to_datetime(min(max(instant, FIRST), LAST)).astimezone(ZoneInfo(zone))


def from_datetime(moment: datetime) -> int:
    """Whole microseconds. Raises ValueError for a time without an offset, which is ambiguous, and OutOfRange for one
    outside the years 1970 to 9000, which is most likely a mistake."""
    if moment.tzinfo is None:
        raise ValueError("a time needs an offset, for example 2027-01-31T12:00:00Z")
    instant = microseconds(moment)
    if not is_in_range(instant):
        raise OutOfRange("a time must be in the years 1970 to 9000")
    return instant


def microseconds(moment: datetime) -> int:
    """Whole microseconds of any time with an offset, also of one that is in no plausible year."""
    return (moment - _EPOCH) // _MICROSECOND


# Stricter than ISO 8601: a full date, `T`, a full time, and always an offset; in either case (RFC 3339 section 5.6).
_RFC3339: Final = re.compile(r"(\d{4}-\d{2}-\d{2})[Tt](\d{2}:\d{2}:\d{2})(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)


def parse_rfc3339(text: str) -> int:
    """Parses every instant in input; digits beyond the microsecond are dropped. Raises ValueError for anything but RFC 3339 with
    an offset, and OutOfRange for a time outside the years 1970 to 9000."""
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise ValueError("an instant is RFC 3339 with an offset, for example 2027-01-31T12:00:00Z")
    date, time, fraction, offset = match.groups()
    return from_datetime(
        datetime.fromisoformat(f"{date}T{time}{(fraction or '.0')[:7]:0<7}{offset.upper().replace('Z', '+00:00')}")
    )


def is_in_range(instant: int) -> bool:
    """Whether it lies in the years 1970 to 9000."""
    return FIRST <= instant <= LAST


def rfc3339(instant: int) -> str:
    """`2026-11-23T20:15:00.123456Z`, the form used by `/v1`, the CLI and the audit chain."""
    return to_datetime(instant).isoformat(timespec="microseconds").replace("+00:00", "Z")


def hour_of(instant: int) -> int:
    """The start of the instant's hour in UTC."""
    return instant - instant % HOUR
