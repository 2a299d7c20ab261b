"""Rows of alerts about dates: those that are due, and those that are over."""

from __future__ import annotations

import itertools

from app import catalogue, database, ids
from app.alerts import conditions
from app.alerts.alert import ALERT_ID, DATED, EXPIRED_LATELY, STAGES_DAYS, DueAlert, Kind, Resolution
from app.alerts.conditions import Sql
from app.clock import DAY


async def workspaces_with_due_alerts(now: int) -> list[str]:
    """The workspaces with alerts to be raised. Suspended ones are left out, because nobody could act there."""
    parts, arguments = _for_each_kind(now, None)
    rows = await database.fetch(f"SELECT DISTINCT workspace FROM ({parts}) news ORDER BY workspace", *arguments)
    return [row["workspace"] for row in rows]


async def due(workspace_id: str, now: int, limit: int) -> list[DueAlert]:
    """The alerts due in a workspace, most urgent first."""
    parts, arguments = _for_each_kind(now, workspace_id)
    rows = await database.fetch(f"SELECT * FROM ({parts}) news ORDER BY about, id, kind LIMIT {{}}", *arguments, limit)
    return [DueAlert(row["id"], Kind(row["kind"]), row["days"], row["about"]) for row in rows]


async def add(workspace_id: str, alert: DueAlert, now: int) -> bool:
    """Inserts an alert; returns whether it is new. An existing one is reopened if it was resolved."""
    over = alert.kind is Kind.EXPIRY and alert.days == 0
    rows = await database.fetch(
        "INSERT INTO alert (id, workspace, key, kind, days, about, at, last_seen_at, resolved_at, resolution)"
        " VALUES ({}, {}, {}, {}, {}, {}, {}, {}, {}, {})"
        " ON CONFLICT (key, kind, days, about) DO NOTHING RETURNING key",
        ids.new(ALERT_ID),
        workspace_id,
        alert.key_id,
        str(alert.kind),
        alert.days,
        alert.about,
        now,
        now,
        alert.about if over else None,
        str(Resolution.OVER) if over else None,
    )
    if not rows:
        await _reopen(alert)
    await _supersede(alert, now)
    return bool(rows)


async def over(now: int) -> dict[str, list[str]]:
    """The alerts that require no action any more and are not marked as resolved, by workspace."""
    is_open, arguments = conditions.is_open(catalogue.current(), now)
    rows = await database.fetch(
        "SELECT n.workspace, n.id FROM alert n JOIN api_key k ON k.id = n.key"
        f" WHERE n.resolved_at IS NULL AND NOT COALESCE({is_open}, FALSE) ORDER BY n.workspace, n.id",
        *arguments,
    )
    return {home: [row["id"] for row in own] for home, own in itertools.groupby(rows, lambda row: str(row["workspace"]))}


async def _reopen(alert: DueAlert) -> None:
    await database.fetch(
        "UPDATE alert SET resolved_at = NULL, resolution = NULL WHERE key = {} AND kind = {} AND days = {} AND about = {}",
        alert.key_id,
        str(alert.kind),
        alert.days,
        alert.about,
    )


async def _supersede(alert: DueAlert, now: int) -> None:
    """Resolves earlier alerts of the same kind about a key: only the latest is open."""
    await database.fetch(
        "UPDATE alert SET resolved_at = {}, resolution = 'OVER' WHERE key = {} AND kind = {} AND resolved_at IS NULL"
        " AND NOT (days = {} AND about = {})",
        now,
        alert.key_id,
        str(alert.kind),
        alert.days,
        alert.about,
    )


def _for_each_kind(now: int, workspace_id: str | None) -> Sql:
    found = [_new_of_kind(kind, now, workspace_id) for kind in DATED]
    return " UNION ALL ".join(text for text, _ in found), [argument for _, given in found for argument in given]


def _new_of_kind(kind: Kind, now: int, workspace_id: str | None) -> Sql:
    """Keys with a due alert that was not raised yet; alerts about expired keys stay stored, as resolved."""
    about, given = conditions.about(kind, catalogue.current(), now, expired_after=now - EXPIRED_LATELY)
    stage, reached = conditions.stage("d.about", now)
    where = "" if workspace_id is None else " AND k.workspace = {}"
    # One that was resolved stays so until the next stage.
    listed = "n.resolved_at IS NULL OR n.resolution <> 'OVER'" + (" OR n.about <= {}" if kind is Kind.EXPIRY else "")
    text = (
        f"SELECT d.workspace, d.id, '{kind}' AS kind, d.about, {stage} AS days FROM"
        f" (SELECT k.workspace, k.id, {about} AS about FROM api_key k WHERE {conditions.PREFILTERS[kind]}{where}) d"
        " JOIN workspace w ON w.id = d.workspace WHERE w.suspended_at IS NULL AND d.about <= {}"
        f" AND NOT EXISTS (SELECT 1 FROM alert n WHERE n.key = d.id AND n.kind = '{kind}' AND n.about = d.about"
        f" AND n.days = {stage} AND ({listed}))"
    )
    arguments = [*reached, *given, *([] if workspace_id is None else [workspace_id]), now + max(STAGES_DAYS) * DAY, *reached]
    return text, [*arguments, *([now] if kind is Kind.EXPIRY else [])]
