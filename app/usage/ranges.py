"""The period of usage that a page or an export shows: the last day, week, month, quarter or year, or chosen days. All in UTC."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

from app import clock
from app.clock import DAY
from app.errors import FieldProblem, ValidationFailed
from app.usage.usage import Granularity

# Older hours are folded into days.
HOURS_KEPT_DAYS: Final = 90
# Reports may be 30 days late, but hardly any is: what is older than this seldom changes.
OPEN_DAYS: Final = 7
MOST_STEPS: Final = 1_000
CUSTOM: Final = "custom"
DEFAULT: Final = "30d"
# A chart by hours has at most so many days, an export as many as MOST_STEPS allows.
MOST_DAYS_BY_HOURS: Final = 14
MOST_DAYS_EXPORTED_BY_HOURS: Final = MOST_STEPS // 24
# Days by the value of `range`.
PRESETS: Final[Mapping[str, int]] = {"24h": 1, "7d": 7, "30d": 30, "90d": 90, "1y": 365}
TITLES: Final[Mapping[str, str]] = {
    "24h": "24 hours", "7d": "7 days", "30d": "30 days", "90d": "90 days", "1y": "1 year", CUSTOM: "Custom"
}  # fmt: skip
FIELDS: Final = ("range", "from", "to", "by")
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Range:
    """From `since` up to but not including `until`, in whole steps. `name` is the value of `range`."""

    name: str
    since: int
    until: int
    granularity: Granularity

    @property
    def words(self) -> str:
        """`30 days`, `24 hours`, `1 year`; the number of days of chosen ones."""
        if self.name != CUSTOM:
            return TITLES[self.name]
        days = (self.until - self.since) // DAY
        return f"{days:,} day{'s' if days != 1 else ''}"

    @property
    def first_day(self) -> str:
        """`2026-11-01`, the value of the field `from`."""
        return f"{clock.to_datetime(self.since):%Y-%m-%d}"

    @property
    def last_day(self) -> str:
        """The value of the field `to`: the day that includes the end."""
        return f"{clock.to_datetime(self.until - 1):%Y-%m-%d}"

    @property
    def span(self) -> tuple[int, int, Granularity]:
        """As use cases take it."""
        return self.since, self.until, self.granularity

    @property
    def query(self) -> dict[str, str]:
        """The arguments of a URL that shows this range again; none for the default."""
        days = {"from": self.first_day, "to": self.last_day} if self.name == CUSTOM else {}
        by = {"by": "hours"} if self.granularity is Granularity.HOUR and self.name != "24h" else {}
        if self.name == DEFAULT and not by:
            return {}
        return {"range": self.name, **days, **by}

    def may_be_by_hours(self, now: int, most_days: int = MOST_DAYS_BY_HOURS) -> bool:
        return self.until - self.since <= most_days * DAY and self.since >= first_hour_kept(now)


def first_hour_kept(now: int) -> int:
    """The first instant since which usage can be read by hours."""
    return now - now % DAY - HOURS_KEPT_DAYS * DAY


def first_open_day(now: int) -> int:
    """Earlier days of a workspace are added up over its keys, if a job has done so already."""
    return now - now % DAY - OPEN_DAYS * DAY


def default(now: int) -> Range:
    return _preset(DEFAULT, Granularity.DAY, now)


def chosen(query: Mapping[str, str], now: int, most_days_by_hours: int = MOST_DAYS_BY_HOURS) -> Range:
    """The range of a query string: `range`, and for custom ones `from` and `to`, days that both belong to it; `by`: hours or days.

    Raises ValidationFailed with the fields' faults.
    """
    name = query.get("range") or DEFAULT
    by = query.get("by") or ("hours" if name == "24h" else "days")
    if by not in ("hours", "days"):
        raise ValidationFailed(FieldProblem("by", "UNKNOWN", "Choose hours or days."))
    granularity = Granularity.HOUR if by == "hours" else Granularity.DAY
    if name in PRESETS:
        return _checked(_preset(name, granularity, now), now, most_days_by_hours)
    if name != CUSTOM:
        raise ValidationFailed(FieldProblem("range", "UNKNOWN", f"Choose one of {', '.join((*PRESETS, CUSTOM))}."))
    return _checked(_custom(query, granularity, now), now, most_days_by_hours)


def _preset(name: str, granularity: Granularity, now: int) -> Range:
    end = -(-(now + 1) // granularity.length) * granularity.length
    return Range(name, end - PRESETS[name] * DAY, end, granularity)


def _custom(query: Mapping[str, str], granularity: Granularity, now: int) -> Range:
    faults: list[FieldProblem] = []
    days: dict[str, int] = {}
    for field, title in (("from", "first"), ("to", "last")):
        try:
            days[field] = _day(query.get(field, ""), title)
            if days[field] > now:
                raise ValueError("This day has not begun yet.")
        except ValueError as fault:
            faults.append(FieldProblem(field, "INVALID" if query.get(field) else "REQUIRED", str(fault)))
    if not faults and days["to"] < days["from"]:
        faults.append(FieldProblem("to", "TOO_EARLY", "The last day is before the first day."))
    if faults:
        raise ValidationFailed(*faults)
    return Range(CUSTOM, days["from"], days["to"] + DAY, granularity)


def _checked(found: Range, now: int, most_days_by_hours: int) -> Range:
    if (found.until - found.since) // DAY > MOST_STEPS:
        raise ValidationFailed(FieldProblem("from", "TOO_LONG", f"A period has at most {MOST_STEPS:,} days."))
    if found.granularity is Granularity.HOUR and not found.may_be_by_hours(now, most_days_by_hours):
        raise ValidationFailed(FieldProblem("by", "TOO_LONG", _hours_refused(found, now, most_days_by_hours)))
    return found


def _hours_refused(found: Range, now: int, most_days: int) -> str:
    if found.since < first_hour_kept(now):
        return f"Usage by hours is kept for {HOURS_KEPT_DAYS} days. Choose days."
    return f"By hours, a period has at most {most_days} days. Choose days."


def _day(text: str, title: str) -> int:
    """Raises ValueError, in words for users."""
    if not text.strip():
        raise ValueError(f"Enter the {title} day.")
    try:
        if not _DATE.fullmatch(text.strip()):
            raise ValueError
        found = datetime.combine(date.fromisoformat(text.strip()), datetime.min.time(), UTC)
        return clock.from_datetime(found)
    except ValueError:
        raise ValueError("This is not a date like 2026-11-29.") from None
