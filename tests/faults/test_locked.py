"""While another process holds the database's lock, answers still come within a second and are never wrong; normal operation
resumes as soon as the lock is free."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import statistics
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import asyncpg
import pytest

from app import database
from app.keys.service import Created
from app.settings import Settings
from tests.conftest import make_key
from tests.faults.conftest import Desk, StartNodes
from tests.support.http import Answer, Gateway, Wire

pytestmark = pytest.mark.slow
HELD_SECONDS = 5
# Guaranteed. A busy machine adds the time of an undisturbed answer; no request waits for the lock.
USUAL_SECONDS = 1.0
LONGEST_SECONDS = HELD_SECONDS / 2
# More than the size of a batch.
WIRES = 100


@dataclass
class Watch:
    """Gateways that verify one key of each kind continuously, and a client that polls /livez."""

    port: int
    token: str
    keys: dict[str, str]
    answers: list[tuple[str, Answer, float, float]] = field(default_factory=list)
    lives: list[float] = field(default_factory=list)
    over: bool = False

    @contextlib.asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            for number in range(WIRES):
                group.create_task(self._verify(number))
            group.create_task(self._live())
            try:
                yield
            finally:
                self.over = True

    async def _verify(self, number: int) -> None:
        expected = list(self.keys)[number % len(self.keys)]
        async with Gateway(self.port, self.token) as gateway:
            # Not all at the same moment: some arrive when a batch has just begun.
            await asyncio.sleep(number / 100)
            while not self.over:
                sent = time.monotonic()
                answer = await gateway.verify(self.keys[expected])
                self.answers.append((expected, answer, sent, time.monotonic()))
                await asyncio.sleep(0.05)

    async def _live(self) -> None:
        async with Wire(self.port) as wire:
            while not self.over:
                sent = time.monotonic()
                assert (await wire.send("GET", "/livez")).status == 200
                self.lives.append(time.monotonic() - sent)
                await asyncio.sleep(0.02)


async def _keys(desk: Desk) -> dict[str, str]:
    """Secrets of keys by the code that a verification must return."""
    good, revoked, suspended = [await make_key(desk.team, name) for name in ("Good", "Revoked", "Suspended")]
    async with database.transaction():
        await database.fetch("UPDATE api_key SET revoked_at = created_at WHERE id = {}", revoked.key.id)
        await database.fetch("UPDATE api_key SET suspended_at = created_at WHERE id = {}", suspended.key.id)
    secrets: dict[str, Created] = {"VALID": good, "REVOKED": revoked, "SUSPENDED": suspended}
    return {code: created.secret or "" for code, created in secrets.items()} | {"MALFORMED": "nonsense"}


@contextlib.asynccontextmanager
async def _held(settings: Settings) -> AsyncIterator[None]:
    """Holds the lock that counting needs: SQLite's write lock; on PostgreSQL every row of the counters."""
    if settings.sqlite_path:
        with contextlib.closing(sqlite3.connect(settings.sqlite_path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
            other.execute("ROLLBACK")
        return
    connection = await asyncpg.connect(settings.database_url)
    async with connection.transaction():
        await connection.execute("SELECT 1 FROM usage_hour FOR UPDATE")
        yield
    await connection.close()


async def test_every_verification_is_answered_in_time_and_never_wrongly(desk: Desk, nodes: StartNodes, settings: Settings) -> None:
    (node,) = nodes(1)
    watch = Watch(node.port, desk.gateway, await _keys(desk))
    async with watch.watching():
        await asyncio.sleep(2)
        # Each key has a row of counters by now, whose lock can be held.
        await _until_all(watch, 0)
        async with _held(settings):
            held = time.monotonic()
            await asyncio.sleep(HELD_SECONDS)
            freed = time.monotonic()
        await _until_all(watch, freed)
    for expected, answer, _, _ in watch.answers:
        _assert_right_or_undecided(expected, answer)
    before = [end - begin for *_, begin, end in watch.answers if end < held]
    during = [each for each in watch.answers if each[2] > held and each[3] < freed]
    assert {answer.status for expected, answer, *_ in during if expected != "MALFORMED"} >= {503}
    assert statistics.median(end - begin for *_, begin, end in during) < USUAL_SECONDS + statistics.median(before)
    # Always less than an answer that waited for the lock from the beginning.
    longest = min(LONGEST_SECONDS + max(before), HELD_SECONDS - 0.5)
    assert max(end - begin for *_, begin, end in watch.answers) < longest
    assert max(watch.lives) < longest


async def _until_all(watch: Watch, since: float) -> None:
    """Waits for every expected code in answers to requests sent since then."""
    async with asyncio.timeout(30):
        while not _codes(watch, since) >= watch.keys.keys():
            await asyncio.sleep(0.05)


def _codes(watch: Watch, since: float) -> set[str]:
    """The answers to requests sent since then."""
    return {answer.json().get("code") for _, answer, sent, _ in watch.answers if sent > since}


def _assert_right_or_undecided(expected: str, answer: Answer) -> None:
    if answer.status == 503:
        assert answer.header("retry-after") == "1"
        assert answer.header("content-type") == "application/problem+json"
        assert "valid" not in answer.json()
    else:
        assert (answer.status, answer.json()["code"], answer.json()["valid"]) == (200, expected, expected == "VALID")
