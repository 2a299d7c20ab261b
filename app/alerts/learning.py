"""Learns what is usual for keys: a baseline is stored, and learned again after a day, or after an hour while a key is young."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Final

from app import database
from app.alerts import incident_store
from app.alerts.baseline import DENIED, SPAN, UNLEARNED, Baseline, History, Hour, Visit, learn
from app.alerts.incident_store import Watched
from app.clock import DAY, HOUR
from app.usage import recent_store
from app.usage.usage import SUCCESSES

BASELINE_AGE: Final = DAY
YOUNG_BASELINE_AGE: Final = HOUR
# Learning reads thousands of rows of a key: at most so many keys at a time, the others keep what they have until the next.
MOST_AT_ONCE: Final = 20


async def current(watched: Sequence[Watched], now: int) -> dict[str, Baseline]:
    """The baseline of each key, by its id."""
    found = {each.key.id: each.baseline or Baseline(0) for each in watched}
    stale = [each for each in watched if is_stale(each.baseline, now)]
    # First those of which nothing is known.
    for each in sorted(stale, key=lambda each: each.baseline is not None)[:MOST_AT_ONCE]:
        found[each.key.id] = await relearn(each, now)
    return found


def is_stale(baseline: Baseline | None, now: int) -> bool:
    if baseline is None:
        return True
    age = YOUNG_BASELINE_AGE if baseline.is_learning(now) else BASELINE_AGE
    # One from a time when the clock was ahead is stale too.
    return not 0 <= now - baseline.until < age


async def relearn(watched: Watched, now: int) -> Baseline:
    """Learns a key's baseline from its counters, and stores it."""
    key = watched.key
    hours = [Hour(*row[1:]) for row in await recent_store.hours([key.id], now - SPAN)]
    days = await recent_store.days(key.id)
    before = now - UNLEARNED
    history = History(
        await recent_store.first_use(key.id),
        hours,
        [day for day, _ in itertools.groupby(day for day, _, _ in days)],
        [Visit(*row[1:]) for row in await recent_store.visits([key.id], 0)],
        _names(days, hours, before, good=True),
        _names(days, hours, before, good=False),
    )
    baseline = learn(history, now, await incident_store.unlearned(key.id, now - SPAN))
    async with database.transaction():
        await incident_store.learned(key, baseline)
    return baseline


def _names(days: list[tuple[int, str, str]], hours: list[Hour], before: int, *, good: bool) -> set[str]:
    """The permissions that were used with success, or denied, before this instant: of its own day only those of earlier hours."""
    today = before - before % DAY
    outcomes = SUCCESSES if good else frozenset({DENIED})
    earlier = {name for day, name, outcome in days if day < today and outcome in outcomes}
    return earlier | {hour.permission for hour in hours if today <= hour.at <= before - HOUR and hour.outcome in outcomes}
