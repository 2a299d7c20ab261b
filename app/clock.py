"""Instants are whole microseconds since 1970 UTC inside, `datetime` with UTC at the edges. Nothing else converts them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def to_datetime(instant: int) -> datetime:
    """The instant in UTC, exact to the microsecond."""
    return _EPOCH + timedelta(microseconds=instant)


def from_datetime(moment: datetime) -> int:
    """Whole microseconds; a moment without an offset is refused with ValueError, because nobody knows when it was."""
    if moment.tzinfo is None:
        raise ValueError("a time needs an offset, for example 2027-01-31T12:00:00Z")
    return (moment - _EPOCH) // _MICROSECOND


def rfc3339(instant: int) -> str:
    """`2026-11-23T20:15:00.123456Z`, the form used by `/v1`, the CLI and the audit chain."""
    return to_datetime(instant).isoformat(timespec="microseconds").replace("+00:00", "Z")


def hour_of(instant: int) -> int:
    """The start of the instant's hour in UTC."""
    return instant - instant % HOUR
