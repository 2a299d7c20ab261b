"""Weeks of use of a key, written as the usage log counts it, and requests of this moment."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from app import clock, database
from app.alerts import evaluation
from app.alerts import service as alerts
from app.alerts.alert import Alert
from app.clock import DAY, HOUR
from app.usage import log
from app.usage.counters import Use
from tests.conftest import Team
from tests.support.access import seen

HOME = "198.51.100.0/24"
STRANGE = "203.0.113.0/24"
_AT_ONCE = 500


def use(key_id: str, at: int, *, requests: int = 1, network: str = HOME, outcome: str = "VALID", **other: Any) -> Use:
    usual = {"permission": "pdf.read", "user_agent": "okhttp", "address": network.replace("0/24", "7")}
    moment = {"hour": clock.hour_of(at), "first_at": at, "last_at": at}
    return Use(key_id=key_id, network=network, outcome=outcome, requests=requests, **{**usual, **moment, **other})


async def used(uses: Iterable[Use]) -> None:
    """Appends uses to the log, as verification does."""
    await log.current().open()
    each = [*uses]
    for start in range(0, len(each), _AT_ONCE):
        await log.current().append(each[start : start + _AT_ONCE])


async def worked(key_id: str, until: int, *, days: int = 28, hours: range = range(8, 18)) -> None:
    """Use on working days, in these hours of UTC, from HOME, up to an hour before `until`."""
    first = until - until % DAY - days * DAY
    instants = [first + day * DAY + hour * HOUR for day in range(days + 1) for hour in hours]
    # 1 January 1970 was a Thursday.
    await used(use(key_id, at, requests=20) for at in instants if at < until - HOUR and (at // DAY + 3) % 7 < 5)


async def evaluated() -> int:
    """Runs the job now, for every key that was used; returns how many alerts are new."""
    return await evaluation.run(await database.now())


async def open_of(team: Team) -> list[Alert]:
    return await alerts.open_alerts(await seen(team.viewer, team.slug))
