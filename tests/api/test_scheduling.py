"""The most expensive allowed query does not block others: it runs in slices, and few such queries run at a time."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import time
from collections.abc import Iterator

import pytest

from app import database
from app.api.execution import scheduling
from app.api.execution.cost import BUDGET
from app.clock import DAY, HOUR, rfc3339
from tests.api.test_statement_counts import EVERYTHING
from tests.conftest import Team, make_key, make_team
from tests.support.graphql import Client

CHEAP = "{ viewer { kind } }"


@contextlib.contextmanager
def without_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


async def computed(client: Client, **variables: object) -> float:
    """The thread's CPU time for it, in seconds."""
    began = time.thread_time()
    await client.ask(EVERYTHING, **variables)
    return time.thread_time() - began


async def longest_stretch(client: Client, **variables: object) -> float:
    """The thread's maximum CPU time between two rounds of the event loop meanwhile, in seconds."""
    stretches: list[float] = []

    async def watch() -> None:
        last = time.thread_time()
        while True:
            await asyncio.sleep(0)
            stretches.append(-last + (last := time.thread_time()))

    watching = asyncio.create_task(watch())
    await client.ask(EVERYTHING, **variables)
    watching.cancel()
    return max(stretches)


async def test_the_most_expensive_query_yields_the_event_loop_repeatedly(db: None) -> None:
    team = await make_team(plan="scale_enterprise")
    now = await database.now()
    for number in range(100):
        key = (await make_key(team, f"Key {number}")).key.id
        await use(key, now - now % HOUR)
    owner, asked = Client(team.owner), {"first": 60, "since": rfc3339(now - 29 * DAY)}
    await owner.ask(EVERYTHING, **asked)
    with without_collector():
        whole = min([await computed(owner, **asked) for _ in range(3)])
        assert min([await longest_stretch(owner, **asked) for _ in range(3)]) < whole / 6


async def use(key: str, hour: int) -> None:
    rows = [(key, hour - day * DAY, name, "VALID", 3) for day in range(29) for name in ("pdf.read", "pdf.generate")]
    marks = ", ".join(["({}, {}, {}, {}, {})"] * len(rows))
    async with database.transaction():
        values = [value for row in rows for value in row]
        await database.fetch(f"INSERT INTO usage_hour (key, hour, permission, outcome, requests) VALUES {marks}", *values)


async def test_of_a_tenants_expensive_operations_one_runs_and_the_next_gets_retry_after(
    owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduling, "PATIENCE_SECONDS", 0)
    room, asked = owner.endpoint.operations._room, {"first": 60, "since": rfc3339(await database.now() - 29 * DAY)}
    assert owner.actor is not None
    async with room.for_one_of("someone else", BUDGET):
        await owner.ask(EVERYTHING, **asked)
        async with room.for_one_of(owner.actor.id, BUDGET):
            refused = await owner.send(EVERYTHING, asked)
            assert (refused.status_code, refused.headers["retry-after"]) == (429, "0")
            assert refused.json()["errors"][0]["extensions"] == {"code": "TOO_MANY_REQUESTS"} and "data" not in refused.json()
            await owner.ask(CHEAP)
    await owner.ask(EVERYTHING, **asked)


async def test_an_expensive_operation_waits_for_those_of_other_tenants_and_is_not_refused(
    owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduling, "PATIENCE_SECONDS", 0)
    room, asked = owner.endpoint.operations._room, {"first": 60, "since": rfc3339(await database.now() - 29 * DAY)}
    async with contextlib.AsyncExitStack() as stack:
        for number in range(scheduling.MOST_DEAR):
            await stack.enter_async_context(room.for_one_of(f"tenant {number}", BUDGET))
        waiting = asyncio.create_task(owner.ask(EVERYTHING, **asked))
        await owner.ask(CHEAP)
        assert not waiting.done()
    assert (await waiting)["workspace"]["apiKeys"]["totalCount"] == 0


async def test_a_cheap_operation_never_waits_for_a_turn(team: Team) -> None:
    await make_key(team)
    owner, turns = Client(team.owner), []

    async def turn() -> None:
        turns.append(1)

    owner.endpoint.operations._pace.turn = turn  # type: ignore[method-assign]
    await owner.ask("{workspace{apiKeys(first: 5){nodes{id name status environment{name} permissions{name}}}}}")
    given = {"name": "Made here", "environment": "production", "permissions": ["pdf.read"]}
    assert (await owner.change("keys/create", **given))["secret"]
    assert turns == []
    await owner.ask("{workspace{apiKeys(first: 100){nodes{id name status environment{name} permissions{name}}}}}")
    assert turns
