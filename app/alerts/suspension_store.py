"""Rows of automatic suspension: the setting of a workspace, and what alerts have suspended."""

from __future__ import annotations

from app import database
from app.alerts.alert import Withheld
from app.alerts.suspension import SUSPENDING, AutomaticSuspension


async def find(workspace_id: str) -> AutomaticSuspension:
    """The setting; a rule that can no longer suspend is left out."""
    rows = await database.fetch("SELECT kinds, most_a_day FROM automatic_suspension WHERE workspace = {}", workspace_id)
    if not rows:
        return AutomaticSuspension()
    chosen = rows[0]["kinds"].split()
    return AutomaticSuspension(tuple(kind for kind in SUSPENDING if kind in chosen), rows[0]["most_a_day"])


async def put(workspace_id: str, setting: AutomaticSuspension) -> None:
    """Call inside a change."""
    await database.fetch(
        "INSERT INTO automatic_suspension (workspace, kinds, most_a_day) VALUES ({}, {}, {}) ON CONFLICT (workspace)"
        " DO UPDATE SET kinds = excluded.kinds, most_a_day = excluded.most_a_day",
        *(workspace_id, " ".join(setting.kinds), setting.most_a_day),
    )


async def count_since(workspace_id: str, instant: int) -> int:
    """How many keys were suspended automatically after an instant."""
    rows = await database.fetch("SELECT count(*) AS n FROM alert WHERE workspace = {} AND suspended_at > {}", workspace_id, instant)
    return int(rows[0]["n"])


async def was_limited_since(workspace_id: str, instant: int) -> bool:
    """Whether the limit has kept an alert raised after an instant from suspending its key."""
    rows = await database.fetch(
        "SELECT 1 AS found FROM alert WHERE workspace = {} AND at > {} AND suspension_withheld = {} LIMIT 1",
        *(workspace_id, instant, str(Withheld.DAILY_LIMIT)),
    )
    return bool(rows)


async def set_suspended(alert_id: str, now: int) -> None:
    """Records that the alert has suspended its key; call inside the change that does."""
    await database.fetch("UPDATE alert SET suspended_at = {} WHERE id = {}", now, alert_id)


async def set_withheld(alert_id: str, why: Withheld) -> None:
    """Records why the alert has not suspended its key; call inside a change."""
    await database.fetch("UPDATE alert SET suspension_withheld = {} WHERE id = {}", str(why), alert_id)
