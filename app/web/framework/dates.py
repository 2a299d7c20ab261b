"""Days that a form's `<input type=date>` sends."""

from __future__ import annotations

import contextlib
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from app import clock


def midnight(text: str, zone: str, days: int = 0) -> int | None:
    """The beginning of that day in this time zone, or of a day so many days later; None for text that is no day."""
    with contextlib.suppress(ValueError, OverflowError):
        day = date.fromisoformat(text) + timedelta(days=days)
        return clock.from_datetime(datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)))
    return None
