"""Reads alerts: the open ones, a page of all, one by its id."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from app import catalogue, database
from app.access.actor import ActorKind, ActorRef
from app.alerts import conditions
from app.alerts.alert import Alert, DueAlert, Kind, Resolution, State, Withheld
from app.catalogue import Catalogue
from app.database.sql import newest_first
from app.keys import store as key_store
from app.keys.key import ApiKey
from app.paging import Page, Position, Window

_COLUMNS: Final = (
    "n.id, n.key, n.kind, n.days, n.about, n.at, n.resolved_at, n.last_seen_at, n.requests, n.evidence, n.baseline, n.resolution,"
    " n.resolved_by_kind, n.resolved_by_id, n.resolved_by_name, n.suspended_at, n.suspension_withheld"
)
_FROM: Final = "FROM alert n JOIN api_key k ON k.id = n.key"


@dataclass(frozen=True, slots=True)
class AlertFilter:
    """Alerts in any of these states, of any of these kinds, of this key; None and empty: of all."""

    states: tuple[State, ...] = ()
    kinds: tuple[Kind, ...] = ()
    key_id: str | None = None


async def count(workspace_id: str, now: int, filter: AlertFilter) -> int:
    where, arguments = _where(workspace_id, catalogue.current(), now, filter)
    rows = await database.fetch(f"SELECT count(*) AS n {_FROM} WHERE {where}", *arguments)
    return int(rows[0]["n"])


async def page(workspace_id: str, now: int, filter: AlertFilter, window: Window) -> Page[Alert]:
    """The newest first; a position is `at` and the id."""
    where, arguments = _where(workspace_id, catalogue.current(), now, filter)
    bounds, order, more = newest_first(window, "n.at", "n.id")
    return window.page(await _select(now, f"WHERE {where}{bounds} {order}", *arguments, *more))


async def newest(workspace_id: str, now: int, limit: int, filter: AlertFilter) -> list[Alert]:
    """The newest first; those raised together by what they are about."""
    where, arguments = _where(workspace_id, catalogue.current(), now, filter)
    order = "ORDER BY n.at DESC, n.about, n.key, n.kind, n.days LIMIT {}"
    return await _select(now, f"WHERE {where} {order}", *arguments, limit)


async def of_key(key: ApiKey, now: int, limit: int) -> list[Alert]:
    """The newest open alerts of a key, and the alert that began its present suspension."""
    is_open, given = conditions.is_open(catalogue.current(), now)
    rest = f"WHERE n.key = {{}} AND ({is_open} OR n.suspended_at = {{}}) ORDER BY n.at DESC, n.about, n.kind, n.days LIMIT {{}}"
    return await _select(now, rest, key.id, *given, key.suspended_at, limit, known=[key])


async def of_keys(keys: Collection[ApiKey], now: int, most: int) -> dict[str, list[Alert]]:
    """The newest alerts of each key."""
    marks = ", ".join("{}" for _ in keys)
    found: dict[str, list[Alert]] = {}
    rest = f"WHERE n.key IN ({marks}) ORDER BY n.at DESC, n.id"
    for alert in await _select(now, rest, *(key.id for key in keys), known=keys):
        if len(own := found.setdefault(alert.key.id, [])) < most:
            own.append(alert)
    return found


async def find_many(alert_ids: Collection[str], now: int) -> list[Alert]:
    """In no order."""
    return await _select(now, f"WHERE n.id IN ({', '.join('{}' for _ in alert_ids)})", *alert_ids) if alert_ids else []


async def find(alert_id: str, now: int) -> Alert | None:
    found = await _select(now, "WHERE n.id = {}", alert_id)
    return found[0] if found else None


async def of_kind(workspace_id: str, kind: Kind, since: int, now: int, limit: int) -> list[Alert]:
    """The newest alerts of a kind that were raised since an instant."""
    return await _select(
        now,
        "WHERE n.workspace = {} AND n.kind = {} AND n.at >= {} ORDER BY n.at DESC, n.id DESC LIMIT {}",
        *(workspace_id, str(kind), since, limit),
    )


async def find_raised(due: Collection[DueAlert], now: int) -> list[Alert]:
    """Alerts about dates that were just raised."""
    found = list[Alert]()
    for each in due:
        about = (each.key_id, str(each.kind), each.days, each.about)
        found += await _select(now, "WHERE n.key = {} AND n.kind = {} AND n.days = {} AND n.about = {}", *about)
    return found


async def workspace_of(alert_id: str) -> str | None:
    rows = await database.fetch("SELECT workspace FROM alert WHERE id = {}", alert_id)
    return rows[0]["workspace"] if rows else None


async def resolve(alert_id: str, resolution: Resolution, by: ActorRef, now: int) -> None:
    """Marks an alert as resolved; call inside a change."""
    await database.fetch(
        "UPDATE alert SET resolved_at = {}, resolution = {}, resolved_by_kind = {}, resolved_by_id = {}, resolved_by_name = {}"
        " WHERE id = {} AND resolved_at IS NULL",
        *(now, str(resolution), str(by.kind), by.id, by.name, alert_id),
    )


async def mark(workspace_id: str) -> tuple[object, ...]:
    """A cheap value that changes with every alert of a workspace, and when a key that an alert has suspended is resumed; for live
    pages."""
    rows = await database.fetch(
        "SELECT count(*) AS n, SUM(last_seen_at) AS seen, SUM(requests) AS requests, SUM(COALESCE(resolved_at, 0)) AS resolved,"
        " (SELECT count(*) FROM alert s JOIN api_key k ON k.id = s.key AND k.suspended_at = s.suspended_at"
        " WHERE s.workspace = {} AND s.suspended_at IS NOT NULL) AS suspended FROM alert WHERE workspace = {}",
        *(workspace_id, workspace_id),
    )
    return tuple(str(value) for value in rows[0].values())


async def newest_position(workspace_id: str) -> Position:
    """That of the newest alert of a workspace, as in `page`; before all of them if there is none."""
    rows = await database.fetch("SELECT at, id FROM alert WHERE workspace = {} ORDER BY at DESC, id DESC LIMIT 1", workspace_id)
    return (rows[0]["at"], rows[0]["id"]) if rows else (0, "")


def _where(workspace_id: str, known: Catalogue, now: int, filter: AlertFilter) -> tuple[str, list[Any]]:
    text, arguments = "n.workspace = {}", [workspace_id, *filter.kinds]
    if filter.kinds:
        text += f" AND n.kind IN ({', '.join('{}' for _ in filter.kinds)})"
    if filter.key_id is not None:
        text += " AND n.key = {}"
        arguments.append(filter.key_id)
    if len(set(filter.states)) == 1:
        is_open, more = conditions.is_open(known, now)
        text += f" AND {is_open}" if State.OPEN in filter.states else f" AND NOT COALESCE({is_open}, FALSE)"
        arguments += more
    return text, [str(each) if isinstance(each, Kind) else each for each in arguments]


async def _select(now: int, rest: str, *arguments: Any, known: Collection[ApiKey] = ()) -> list[Alert]:
    """Keys that are `known` are not read again."""
    is_open, given = conditions.is_open(catalogue.current(), now)
    rows = await database.fetch(f"SELECT {_COLUMNS}, COALESCE({is_open}, FALSE) AS is_open {_FROM} {rest}", *given, *arguments)
    keys = {key.id: key for key in known}
    keys |= await key_store.by_id({row["key"] for row in rows} - keys.keys())
    return [_alert(row, keys) for row in rows]


def _alert(row: dict[str, Any], keys: dict[str, ApiKey]) -> Alert:
    by = row["resolved_by_kind"]
    return Alert(
        id=row["id"],
        key=keys[row["key"]],
        kind=Kind(row["kind"]),
        days=row["days"],
        about=row["about"],
        at=row["at"],
        is_open=bool(row["is_open"]),
        last_seen_at=row["last_seen_at"],
        count=row["requests"],
        evidence=json.loads(row["evidence"]),
        baseline=json.loads(row["baseline"]),
        resolved_at=row["resolved_at"],
        resolution=Resolution(row["resolution"]) if row["resolution"] else None,
        resolved_by=ActorRef(ActorKind(by), row["resolved_by_id"], row["resolved_by_name"]) if by else None,
        suspended_at=row["suspended_at"],
        withheld=Withheld(row["suspension_withheld"]) if row["suspension_withheld"] else None,
    )
