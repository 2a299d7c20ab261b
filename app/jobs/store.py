"""The lease of a job: one row, changed only by who finds in it what they expect."""

from __future__ import annotations

from app import database
from app.clock import SECOND
from app.jobs.lease import LEASE


async def is_free(name: str, now: int, every_seconds: int = 0) -> bool:
    """Whether the job is due and no node does it."""
    rows = await database.fetch("SELECT until FROM job WHERE name = {}", name)
    return not rows or not now < rows[0]["until"] <= _latest(now, every_seconds)


async def take(name: str, every_seconds: int = 0) -> int | None:
    """The end of a lease that is now ours; None if another node has the job or has just done it. An end so late that nobody
    can have written it by this clock is void: it is from a time when the clock was ahead."""
    async with database.transaction():
        now = await database.now()
        rows = await database.fetch(
            "INSERT INTO job (name, until) VALUES ({}, {}) ON CONFLICT (name)"
            " DO UPDATE SET until = excluded.until WHERE job.until <= {} OR job.until > {} RETURNING until",
            *(name, now + LEASE, now, _latest(now, every_seconds)),
        )
    return rows[0]["until"] if rows else None


async def renew(name: str, lease: int) -> int | None:
    """The new end of our lease; None if it ran out and another node took it."""
    return await _move(name, lease, await database.now() + LEASE)


async def give_back(name: str, lease: int, not_before: int) -> None:
    """Ends our lease, if it is still ours; no node starts the job before `not_before`."""
    await _move(name, lease, not_before)


async def _move(name: str, expected: int, until: int) -> int | None:
    async with database.transaction():
        # Ends of leases are microseconds and rise, but for a clock set back, so that two nodes never write the same one.
        rows = await database.fetch(
            "UPDATE job SET until = {} WHERE name = {} AND until = {} RETURNING until", *(until, name, expected)
        )
    return rows[0]["until"] if rows else None


def _latest(now: int, every_seconds: int) -> int:
    return now + LEASE + every_seconds * SECOND
