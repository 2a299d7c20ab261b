"""Rows of counted attempts and known networks."""

from __future__ import annotations

from collections.abc import Sequence

from app import database
from app.throttling.tables import ThrottleRow


async def find_attempts(buckets: Sequence[str]) -> dict[str, tuple[int, int]]:
    """For each bucket that has a row: the start of its window and the number of attempts in it."""
    marks = ", ".join(["{}"] * len(buckets))
    rows = await database.fetch(f"SELECT * FROM throttle WHERE bucket IN ({marks})", *buckets)
    return {row["bucket"]: (row["window_start"], row["attempts"]) for row in rows}


async def add_attempt(bucket: str, now: int, expired_before: int, void_after: int) -> tuple[int, int]:
    """Counts one more attempt; returns the start of the window and the number of attempts in it.

    A new window starts now if the stored one started at `expired_before` or earlier, or later than `void_after`.
    """
    rows = await database.fetch(
        "INSERT INTO throttle (bucket, window_start, attempts) VALUES ({}, {}, 1) ON CONFLICT (bucket) DO UPDATE SET"
        " attempts = CASE WHEN throttle.window_start <= {} OR throttle.window_start > {} THEN 1 ELSE throttle.attempts + 1 END,"
        " window_start = CASE WHEN throttle.window_start <= {} OR throttle.window_start > {}"
        " THEN excluded.window_start ELSE throttle.window_start END"
        " RETURNING window_start, attempts",
        bucket,
        *(now, expired_before, void_after, expired_before, void_after),
    )
    return rows[0]["window_start"], rows[0]["attempts"]


async def subtract_attempt(bucket: str) -> None:
    await database.fetch("UPDATE throttle SET attempts = attempts - 1 WHERE bucket = {} AND attempts > 0", bucket)


async def save_known_network(bucket: str, now: int) -> None:
    """A row beside the windows: its `window_start` is the time of the last successful sign-in."""
    row = ThrottleRow(bucket=bucket, window_start=now, attempts=0)
    values = [ThrottleRow.window_start]
    await ThrottleRow.insert(row).on_conflict(target=ThrottleRow.bucket, action="DO UPDATE", values=values).run()


async def is_known_network(bucket: str, since: int, until: int) -> bool:
    statement = "SELECT 1 AS known FROM throttle WHERE bucket = {} AND window_start > {} AND window_start <= {}"
    return bool(await database.fetch(statement, bucket, since, until))


async def purge(known_prefix: str, *, windows_before: int, known_before: int, void_after: int) -> None:
    """Deletes old windows and old known networks, whose bucket names begin with `known_prefix`, and all rows of the future."""
    await database.fetch("DELETE FROM throttle WHERE bucket NOT LIKE {} AND window_start <= {}", f"{known_prefix}%", windows_before)
    await database.fetch("DELETE FROM throttle WHERE bucket LIKE {} AND window_start <= {}", f"{known_prefix}%", known_before)
    await database.fetch("DELETE FROM throttle WHERE window_start > {}", void_after)
