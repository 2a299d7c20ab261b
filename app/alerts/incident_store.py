"""Rows that rules about use read and write: keys with their baselines, what was called expected, and the alerts of incidents."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from app import database, ids
from app.alerts.alert import ALERT_ID, Kind, Resolution, Withheld
from app.alerts.baseline import Baseline, Unlearned
from app.alerts.incident import Incident
from app.alerts.situation import Finding, KeyFacts
from app.tenancy.store import workspace_of
from app.tenancy.workspace import Workspace

_BASELINE: Final = msgspec.json.Decoder(Baseline)
_ENCODER: Final = msgspec.json.Encoder(order="sorted")
_LONGEST_VALUE: Final = 120


@dataclass(frozen=True, slots=True)
class Watched:
    """A key that is to be evaluated, with what was learned of it; `baseline` is None before."""

    key: KeyFacts
    baseline: Baseline | None


@dataclass(frozen=True, slots=True)
class Stored:
    """An alert about use as stored: its id, and its incident."""

    id: str
    incident: Incident
    suspended_at: int | None
    withheld: Withheld | None


async def watched(key_ids: Sequence[str]) -> list[Watched]:
    """These keys with their baselines; not those of suspended workspaces."""
    rows = await database.tuples(
        "SELECT k.id, k.workspace, k.created_at, k.expires_at, k.revoked_at, k.permissions, b.learned FROM api_key k"
        " JOIN workspace w ON w.id = k.workspace LEFT JOIN key_baseline b ON b.key = k.id"
        f" WHERE k.id IN ({_marks(key_ids)}) AND w.suspended_at IS NULL",
        *key_ids,
    )
    return [_watched(row) for row in rows]


async def workspaces(workspace_ids: Collection[str]) -> dict[str, Workspace]:
    rows = await database.fetch(f"SELECT * FROM workspace WHERE id IN ({_marks(workspace_ids)})", *workspace_ids)
    return {row["id"]: workspace_of(row) for row in rows}


async def baselines_of(workspace_id: str, most: int) -> list[Baseline]:
    """The baselines of a workspace's keys."""
    rows = await database.tuples(
        "SELECT learned FROM key_baseline WHERE workspace = {} ORDER BY learned_at DESC LIMIT {}", workspace_id, most
    )
    return [_BASELINE.decode(row[0]) for row in rows]


async def learned(key: KeyFacts, baseline: Baseline) -> None:
    """Stores a baseline; call inside a transaction."""
    await database.fetch(
        "INSERT INTO key_baseline (key, workspace, learned_at, learned) VALUES ({}, {}, {}, {}) ON CONFLICT (key)"
        " DO UPDATE SET learned_at = excluded.learned_at, learned = excluded.learned",
        *(key.id, key.workspace_id, baseline.until, _ENCODER.encode(baseline).decode()),
    )


async def unlearned(key_id: str, since: int) -> Unlearned:
    """What the key's alerts since have found and nobody has called expected."""
    rows = await database.fetch(
        "SELECT kind, about, last_seen_at, subjects FROM alert WHERE key = {} AND at >= {}"
        " AND (resolution IS NULL OR resolution <> 'EXPECTED') AND kind IN ({}, {}, {})",
        *(key_id, since, str(Kind.UNEXPECTED_NETWORK), str(Kind.FAILURE_SPIKE), str(Kind.OUTSIDE_BUSINESS_HOURS)),
    )
    spans = defaultdict[str, list[tuple[int, int]]](list)
    networks = set[str]()
    for row in rows:
        spans[row["kind"]].append((row["about"], row["last_seen_at"]))
        if row["kind"] == Kind.UNEXPECTED_NETWORK:
            networks.update(msgspec.json.decode(row["subjects"]))
    return Unlearned(frozenset(networks), tuple(spans[Kind.FAILURE_SPIKE]), tuple(spans[Kind.OUTSIDE_BUSINESS_HOURS]))


async def expectations(workspace_ids: Collection[str]) -> dict[str, dict[str, dict[Kind, frozenset[str]]]]:
    """Workspace → key → kind → values; those of the workspace itself are under the empty key."""
    return await _expectations(f"workspace IN ({_marks(workspace_ids)})", *workspace_ids)


async def expectations_of(workspace_id: str, key_ids: Collection[str]) -> dict[str, dict[Kind, frozenset[str]]]:
    """Key → kind → values, for the keys among these that have any."""
    found = await _expectations(f"workspace = {{}} AND key IN ({_marks(key_ids)})", workspace_id, *key_ids)
    return found.get(workspace_id, {})


async def _expectations(where: str, *arguments: str) -> dict[str, dict[str, dict[Kind, frozenset[str]]]]:
    rows = await database.tuples(f"SELECT workspace, key, kind, value FROM alert_expectation WHERE {where}", *arguments)
    found: dict[str, dict[str, dict[Kind, frozenset[str]]]] = {}
    for workspace, key, kind, value in rows:
        of_key = found.setdefault(workspace, {}).setdefault(key, {})
        of_key[Kind(kind)] = of_key.get(Kind(kind), frozenset()) | {value}
    return found


async def expect(workspace_id: str, key_id: str, kind: Kind, values: Iterable[str], now: int) -> None:
    """Stores what was called expected; call inside a transaction."""
    for value in values:
        await database.fetch(
            "INSERT INTO alert_expectation (workspace, key, kind, value, at) VALUES ({}, {}, {}, {}, {})"
            " ON CONFLICT (workspace, key, kind, value) DO NOTHING",
            *(workspace_id, key_id, str(kind), value[:_LONGEST_VALUE], now),
        )


async def unexpect(workspace_id: str, key_id: str, kind: Kind, value: str) -> bool:
    """Forgets what was called expected; returns whether it was. Call inside a transaction."""
    rows = await database.fetch(
        "DELETE FROM alert_expectation WHERE workspace = {} AND key = {} AND kind = {} AND value = {} RETURNING value",
        *(workspace_id, key_id, str(kind), value),
    )
    return bool(rows)


async def latest(key_ids: Collection[str]) -> dict[tuple[str, Kind], Stored]:
    """The latest alert about use of each key and kind."""
    rows = await database.fetch(
        "SELECT id, key, kind, about, last_seen_at, requests, parts, subjects, resolved_at, resolution, suspended_at,"
        " suspension_withheld FROM alert"
        f" WHERE key IN ({_marks(key_ids)}) AND parts <> '{{{{}}}}' ORDER BY at",
        *key_ids,
    )
    return {(row["key"], Kind(row["kind"])): _stored(row) for row in rows}


async def add(workspace_id: str, key_id: str, finding: Finding, incident: Incident, now: int) -> str | None:
    """Inserts an alert and returns its id; None if another node has. Call inside a change of the workspace."""
    alert_id = ids.new(ALERT_ID)
    rows = await database.fetch(
        "INSERT INTO alert (id, workspace, key, kind, days, about, at, last_seen_at, requests, evidence, baseline, parts, subjects)"
        " VALUES ({}, {}, {}, {}, 0, {}, {}, {}, {}, {}, {}, {}, {})"
        " ON CONFLICT (key, kind, days, about) DO NOTHING RETURNING id",
        *(alert_id, workspace_id, key_id, str(finding.kind), incident.first_at, now, incident.last_at, incident.count),
        *(*_evidence(finding), *_counters(incident)),
    )
    return alert_id if rows else None


async def extend(alert_id: str, finding: Finding, incident: Incident) -> None:
    """Updates an open alert; call inside a change of the workspace."""
    await database.fetch(
        "UPDATE alert SET last_seen_at = {}, requests = {}, evidence = {}, parts = {}, subjects = {}"
        " WHERE id = {} AND resolved_at IS NULL",
        *(incident.last_at, incident.count, _evidence(finding)[0], *_counters(incident), alert_id),
    )


async def subjects(alert_id: str) -> tuple[str, ...]:
    """The values that "expected" teaches."""
    rows = await database.fetch("SELECT subjects FROM alert WHERE id = {}", alert_id)
    return tuple(msgspec.json.decode(rows[0]["subjects"])) if rows else ()


def _watched(row: Sequence[Any]) -> Watched:
    key_id, workspace, created_at, expires_at, revoked_at, permissions, learned = row
    key = KeyFacts(key_id, workspace, created_at, expires_at, revoked_at, tuple(permissions.split()))
    return Watched(key, _BASELINE.decode(learned) if learned else None)


def _stored(row: dict[str, Any]) -> Stored:
    incident = Incident(
        row["about"],
        row["last_seen_at"],
        row["requests"],
        msgspec.json.decode(row["parts"], type=dict[str, int]),
        tuple(msgspec.json.decode(row["subjects"], type=list[str])),
        row["resolved_at"],
        Resolution(row["resolution"]) if row["resolution"] else None,
    )
    withheld = Withheld(row["suspension_withheld"]) if row["suspension_withheld"] else None
    return Stored(row["id"], incident, row["suspended_at"], withheld)


def _evidence(finding: Finding) -> tuple[str, str]:
    compared = {"usual": finding.usual, "now": finding.now, "unit": finding.unit}
    return _text(finding.evidence | compared), _text(finding.baseline)


def _counters(incident: Incident) -> tuple[str, str]:
    # In their order, of which the last are kept.
    return msgspec.json.encode(incident.parts).decode(), msgspec.json.encode(incident.values).decode()


def _text(data: object) -> str:
    return _ENCODER.encode(data).decode()


def _marks(values: Collection[object]) -> str:
    return ", ".join("{}" for _ in values)
