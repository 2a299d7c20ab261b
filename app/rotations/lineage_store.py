"""Which keys replaced which: predecessors, successors, and whole lineages, from the rows of rotations."""

from __future__ import annotations

from collections.abc import Collection

from app import database
from app.rotations.rotation import Outcome, Rotation
from app.rotations.store import COLUMNS, rotation_of


async def predecessors(key_ids: Collection[str]) -> dict[str, str]:
    """The predecessor of each key."""
    if not key_ids:
        return {}
    marks = ", ".join("{}" for _ in key_ids)
    rows = await database.fetch(f"SELECT predecessor, successor FROM rotation WHERE successor IN ({marks})", *key_ids)
    return {row["successor"]: row["predecessor"] for row in rows}


async def successors(key_ids: Collection[str]) -> dict[str, str]:
    """The successor of each key, without those of cancelled rotations."""
    if not key_ids:
        return {}
    marks = ", ".join("{}" for _ in key_ids)
    rows = await database.fetch(
        f"SELECT predecessor, successor FROM rotation WHERE predecessor IN ({marks})"
        " AND (outcome IS NULL OR outcome <> 'CANCELLED') ORDER BY started_at",
        *key_ids,
    )
    return {row["predecessor"]: row["successor"] for row in rows}


async def lines_of(key_ids: Collection[str]) -> dict[str, set[str]]:
    """The whole lineage of each key, itself included, in one statement."""
    if not key_ids:
        return {}
    rows = await database.fetch(
        f"{_both_ways(len(key_ids))} SELECT origin, id FROM before UNION SELECT origin, id FROM after", *_origins(key_ids)
    )
    lines: dict[str, set[str]] = {key_id: set() for key_id in key_ids}
    for row in rows:
        lines[row["origin"]].add(row["id"])
    return lines


async def line_of(key_id: str) -> tuple[set[str], list[Rotation]]:
    """The whole lineage of a key, itself included, and all rotations of its keys, oldest first, in one statement."""
    rows = await database.fetch(
        f"{_both_ways(1)} SELECT {COLUMNS}, 1 AS is_before FROM before JOIN rotation r ON r.successor = before.id"
        f" UNION ALL SELECT {COLUMNS}, 0 FROM after JOIN rotation r ON r.predecessor = after.id",
        *_origins([key_id]),
    )
    # As in `_both_ways`: whatever led to the key is in its line, and after it all but the successors of cancelled rotations.
    joined = [row for row in rows if row["is_before"] or row["outcome"] != Outcome.CANCELLED]
    line = {key_id} | {row["predecessor"] for row in joined} | {row["successor"] for row in joined}
    return line, sorted(map(rotation_of, rows), key=lambda rotation: (rotation.started_at, rotation.id))


def _both_ways(origins: int) -> str:
    """The ids of the keys `before` and `after` each origin, itself in both."""
    start = ", ".join(["({}, {})"] * origins)
    return (
        f"WITH RECURSIVE start(origin, id) AS (VALUES {start}),"
        " before(origin, id) AS (SELECT CAST(origin AS VARCHAR(24)), CAST(id AS VARCHAR(24)) FROM start"
        " UNION SELECT before.origin, r.predecessor FROM rotation r JOIN before ON r.successor = before.id),"
        " after(origin, id) AS (SELECT CAST(origin AS VARCHAR(24)), CAST(id AS VARCHAR(24)) FROM start"
        " UNION SELECT after.origin, r.successor FROM rotation r JOIN after"
        " ON r.predecessor = after.id WHERE r.outcome IS NULL OR r.outcome <> 'CANCELLED')"
    )


def _origins(key_ids: Collection[str]) -> list[str]:
    return [key_id for each in key_ids for key_id in (each, each)]
