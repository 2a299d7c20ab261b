"""Rows of notices, and what there is to tell."""

from __future__ import annotations

from typing import Any

from app import database
from app.clock import DAY
from app.keys import store as key_store
from app.notices import conditions
from app.notices.conditions import Sql
from app.notices.notice import EXPIRED_LATELY, STAGES_DAYS, Due, Kind, Notice


async def places_with_news(now: int) -> list[str]:
    """The workspaces in which something is to be told. In a suspended one nobody could do anything about it."""
    parts, arguments = _every_kind(now, None)
    rows = await database.fetch(f"SELECT DISTINCT workspace FROM ({parts}) news ORDER BY workspace", *arguments)
    return [row["workspace"] for row in rows]


async def due(workspace_id: str, now: int, limit: int) -> list[Due]:
    """What is to be told in a workspace, the most urgent first."""
    parts, arguments = _every_kind(now, workspace_id)
    rows = await database.fetch(f"SELECT * FROM ({parts}) news ORDER BY about, id, kind LIMIT {{}}", *arguments, limit)
    return [Due(row["id"], Kind(row["kind"]), row["days"], row["about"]) for row in rows]


async def add(workspace_id: str, told: Due, now: int) -> bool:
    """Whether it has never been told before. Once told it is opened again, if it had been resolved."""
    over = told.kind is Kind.EXPIRY and told.days == 0
    rows = await database.fetch(
        "INSERT INTO notice (workspace, key, kind, days, about, at, resolved_at) VALUES ({}, {}, {}, {}, {}, {}, {})"
        " ON CONFLICT (key, kind, days, about) DO NOTHING RETURNING key",
        workspace_id,
        told.key_id,
        str(told.kind),
        told.days,
        told.about,
        now,
        told.about if over else None,
    )
    if not rows:
        await _reopen(told)
    await _supersede(told, now)
    return bool(rows)


async def anything_resolved(now: int) -> bool:
    """Whether `resolve` has something to do."""
    is_open, arguments = conditions.is_open(now)
    rows = await database.fetch(
        "SELECT 1 AS found FROM notice n JOIN api_key k ON k.id = n.key"
        f" WHERE n.resolved_at IS NULL AND NOT COALESCE({is_open}, FALSE) LIMIT 1",
        *arguments,
    )
    return bool(rows)


async def resolve(now: int) -> None:
    """Writes down which notices ask for nothing any more."""
    is_open, arguments = conditions.is_open(now)
    await database.fetch(
        "UPDATE notice SET resolved_at = {} WHERE resolved_at IS NULL AND NOT EXISTS (SELECT 1 FROM notice n"
        " JOIN api_key k ON k.id = n.key WHERE n.key = notice.key AND n.kind = notice.kind AND n.days = notice.days"
        f" AND n.about = notice.about AND {is_open})",
        now,
        *arguments,
    )


async def count_open(workspace_id: str, now: int) -> int:
    is_open, arguments = conditions.is_open(now)
    rows = await database.fetch(
        f"SELECT count(*) AS n FROM notice n JOIN api_key k ON k.id = n.key WHERE n.workspace = {{}} AND {is_open}",
        workspace_id,
        *arguments,
    )
    return int(rows[0]["n"])


async def newest(workspace_id: str, now: int, limit: int, *, open_only: bool) -> list[Notice]:
    """The newest first."""
    is_open, arguments = conditions.is_open(now)
    sought = is_open if open_only else f"NOT COALESCE({is_open}, FALSE)"
    rows = await database.fetch(
        "SELECT n.key, n.kind, n.days, n.about, n.at FROM notice n JOIN api_key k ON k.id = n.key"
        f" WHERE n.workspace = {{}} AND {sought} ORDER BY n.at DESC, n.about, n.key, n.kind, n.days LIMIT {{}}",
        workspace_id,
        *arguments,
        limit,
    )
    return await _with_keys(rows, open_only)


async def told(found: list[Due], now: int) -> list[Notice]:
    """The same with their keys, in the same order."""
    rows = [{"key": each.key_id, "kind": each.kind, "days": each.days, "about": each.about, "at": now} for each in found]
    return await _with_keys(rows, True)


async def _with_keys(rows: list[dict[str, Any]], is_open: bool) -> list[Notice]:
    keys = await key_store.by_id({row["key"] for row in rows})
    return [Notice(keys[row["key"]], Kind(row["kind"]), row["days"], row["about"], row["at"], is_open) for row in rows]


async def _reopen(told: Due) -> None:
    await database.fetch(
        "UPDATE notice SET resolved_at = NULL WHERE key = {} AND kind = {} AND days = {} AND about = {}",
        told.key_id,
        str(told.kind),
        told.days,
        told.about,
    )


async def _supersede(told: Due, now: int) -> None:
    """Of what was told of a key about one matter only the latest is open."""
    await database.fetch(
        "UPDATE notice SET resolved_at = {} WHERE key = {} AND kind = {} AND resolved_at IS NULL"
        " AND NOT (days = {} AND about = {})",
        now,
        told.key_id,
        str(told.kind),
        told.days,
        told.about,
    )


def _every_kind(now: int, workspace_id: str | None) -> Sql:
    found = [_news(kind, now, workspace_id) for kind in Kind]
    return " UNION ALL ".join(text for text, _ in found), [argument for _, given in found for argument in given]


def _news(kind: Kind, now: int, workspace_id: str | None) -> Sql:
    """Keys with something to tell that is not on the list; what has expired is on it for ever, and resolved."""
    about, given = conditions.about(kind, now, expired_after=now - EXPIRED_LATELY)
    stage, reached = conditions.stage("d.about", now)
    where = "" if workspace_id is None else " AND k.workspace = {}"
    listed = "n.resolved_at IS NULL OR n.about <= {}" if kind is Kind.EXPIRY else "n.resolved_at IS NULL"
    text = (
        f"SELECT d.workspace, d.id, '{kind}' AS kind, d.about, {stage} AS days FROM"
        f" (SELECT k.workspace, k.id, {about} AS about FROM api_key k WHERE {conditions.WORTH_A_LOOK[kind]}{where}) d"
        " JOIN workspace w ON w.id = d.workspace WHERE w.suspended_at IS NULL AND d.about <= {}"
        f" AND NOT EXISTS (SELECT 1 FROM notice n WHERE n.key = d.id AND n.kind = '{kind}' AND n.about = d.about"
        f" AND n.days = {stage} AND ({listed}))"
    )
    arguments = [*reached, *given, *([] if workspace_id is None else [workspace_id]), now + max(STAGES_DAYS) * DAY, *reached]
    return text, [*arguments, *([now] if kind is Kind.EXPIRY else [])]
