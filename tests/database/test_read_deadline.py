"""A read that exceeds its deadline is stopped in the database, and the connection can be used again."""

from __future__ import annotations

import asyncio
import time

import pytest

from app import database
from app.api.server import operations
from app.errors import Unavailable
from app.usage import store
from tests.conftest import KIND, Team
from tests.support.graphql import Client

# Hours of work on either database.
ENDLESS = (
    "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 100000000000) SELECT max(x) AS found FROM n"
    if KIND == "sqlite"
    else "SELECT pg_sleep(3600), 'endless' AS found"
)
RUNNING = "SELECT count(*) AS found FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(3600)%' AND state = 'active'"


async def stopped() -> bool:
    """Whether the server stops within 10 seconds; SQLite has by the time it answers."""
    until = time.monotonic() + 10
    while KIND != "sqlite" and (await database.fetch(RUNNING))[0]["found"]:
        if time.monotonic() > until:
            return False
        await asyncio.sleep(0.05)
    return True


async def test_a_statement_is_stopped_at_its_deadline_and_the_next_is_answered(db: None) -> None:
    for _ in range(12):  # more than there are connections
        with pytest.raises(Unavailable), database.within(0.05):
            await database.fetch(ENDLESS)
    assert await stopped()
    assert await database.fetch("SELECT 1 AS one") == [{"one": 1}]


async def test_waiting_for_a_connection_ends_at_the_deadline(db: None) -> None:
    async def asked() -> None:
        with pytest.raises(Unavailable), database.within(0.2):
            await database.fetch(ENDLESS)

    await asyncio.gather(*(asked() for _ in range(12)))
    assert await stopped()


async def test_no_deadline_outlives_its_block(db: None) -> None:
    with database.within(0.0):
        pass
    assert await database.fetch("SELECT 1 AS one") == [{"one": 1}]


async def test_a_query_that_reads_for_too_long_is_unavailable(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    async def endless(*_: object) -> int:
        return int((await database.fetch(ENDLESS))[0]["found"])

    monkeypatch.setattr(operations, "READ_SECONDS", 1.0)
    monkeypatch.setattr(store, "last_used_in", endless)
    (error,) = await Client(team.owner).refused("{workspace{usage{lastUsedAt}}}")
    assert error["extensions"]["code"] == "UNAVAILABLE" and error["path"] == ["workspace", "usage"]
    assert await stopped()
