"""The usage log: appended uses are counted exactly once, whichever process folds, and every reader sees them at once."""

from __future__ import annotations

import asyncio
import collections
import threading
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from app import backups, clock, database
from app.errors import Unavailable
from app.keys import service as keys
from app.keys.key import Reason
from app.settings import Settings
from app.usage import caller_service, log, service
from app.usage.counters import CounterBatch, Use
from tests.conftest import Team, make_key
from tests.support.access import at, seen

NOW = 1_790_000_000_000_000
Tables = dict[str, list[tuple[Any, ...]]]


def use(key: str = "key_a", **other: Any) -> Use:
    usual = {"permission": "pdf.read", "outcome": "VALID", "network": "203.0.113.0/24", "user_agent": "curl", "requests": 1}
    moment = {"hour": clock.hour_of(NOW), "first_at": NOW, "last_at": NOW, "address": "203.0.113.9"}
    return Use(**{"key_id": key, **usual, **moment, **other})


SLOTS = st.tuples(
    st.sampled_from(["key_a", "key_b"]),
    st.sampled_from([0, clock.HOUR]),
    st.sampled_from(["", "pdf.read"]),
    st.sampled_from(["", "192.0.2.0/24"]),
)


@st.composite
def uses(draw: st.DrawFn) -> Use:
    key, hour, permission, network = draw(SLOTS)
    if draw(st.booleans()):  # as the log had them before refused requests had a caller
        return Use(key, hour, permission, "EXPIRED", "", "", 1, None, None, None)
    first = draw(st.integers(1, 50))
    last = first + draw(st.integers(0, 50))
    outcome = draw(st.sampled_from(["VALID", "EXPIRED", "PERMISSION_DENIED", "SUCCEEDED", "REVOKED"]))
    # One address for an instant: of two uses at the same one either may be the last.
    return Use(key, hour, permission, outcome, network, "curl", draw(st.integers(0, 3)), first, last, f"192.0.2.{last}")


def expected(appended: list[Use]) -> Tables:
    """The counters computed one request at a time, independently of the log."""
    hours: collections.Counter[tuple[Any, ...]] = collections.Counter()
    last: dict[str, tuple[int, str | None]] = {}
    callers: dict[tuple[str, ...], tuple[int, int, int]] = {}
    for each in appended:
        if each.requests:
            hours[each.key_id, each.hour, each.permission, each.outcome] += each.requests
        if each.outcome not in ("EXPIRED", "REVOKED") and each.first_at is not None and each.last_at is not None:
            last[each.key_id] = max(last.get(each.key_id, (0, None)), (each.last_at, each.address))
            slot = (each.key_id, each.network, each.user_agent, each.permission)
            known = callers.get(slot, (each.first_at, each.last_at, 0))
            callers[slot] = (min(known[0], each.first_at), max(known[1], each.last_at), known[2] + each.requests)
    return {
        "hours": sorted((*slot, n) for slot, n in hours.items()),
        "used": sorted((key, *found) for key, found in last.items()),
        "callers": sorted((*slot, *found) for slot, found in callers.items()),
    }


async def stored() -> Tables:
    columns = {
        "hours": "key, hour, permission, outcome, requests FROM usage_hour",
        "used": "key, last_used_at, last_used_ip FROM key_last_used",
        "callers": "key, network, user_agent, permission, first_seen_at, last_seen_at, requests FROM caller",
    }
    return {name: sorted(tuple(row) for row in await database.tuples(f"SELECT {text}")) for name, text in columns.items()}


async def rows() -> list[dict[str, Any]]:
    return await database.fetch("SELECT id, merged, uses FROM usage_log ORDER BY id")


async def clear() -> None:
    async with database.transaction():
        for table in ("usage_log", "usage_hour", "key_last_used", "caller"):
            await database.fetch(f"DELETE FROM {table}")


@examples(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(uses(), min_size=1, max_size=6), max_size=8))
async def test_counters_are_the_sum_of_what_was_appended_in_any_grouping(db: None, batches: list[list[Use]]) -> None:
    await clear()
    for batch in batches:
        await log.current().append(batch)
    assert await stored() == expected([each for batch in batches for each in batch])
    assert await rows() == []


@pytest.mark.parametrize("step", [1, 3, 200])
async def test_many_uses_are_counted_in_steps(db: None, monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    monkeypatch.setattr(log, "MOST_IN_STEP", step)
    monkeypatch.setattr(log, "_ROWS_AT_ONCE", 4)
    monkeypatch.setattr(log, "_STEPS_AT_ONCE", 2)
    appended = [use(f"key_{number % 7}", first_at=NOW + number, last_at=NOW + number) for number in range(30)]
    for each in appended:
        await log.current().append([each])
    assert await stored() == expected(appended)
    assert await rows() == []


async def test_processes_that_fold_at_once_count_everything_once(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each log has its own connections and locks, as a process has."""
    monkeypatch.setattr(log, "MOST_IN_STEP", 3)
    logs = [log.UsageLog(database.engine()) for _ in range(3)]
    appended = []
    try:
        for round_ in range(6):
            for number, each in enumerate(logs * 4):
                appended.append(use(f"key_{number % 9}", first_at=NOW + round_, last_at=NOW + round_))
                await each.open()
                await each.append([appended[-1]])
            await asyncio.gather(*(each.settle() for each in logs))
            assert await rows() == []
    finally:
        for each in logs:
            await each.close()
    assert await stored() == expected(appended)


async def test_a_row_that_another_process_counted_is_not_counted_again(db: None) -> None:
    hot = await log.current().open()
    await log.current().append([use()])
    ((row_id, _),) = await hot.logged(merged=False, most=9)
    counts = CounterBatch()
    counts.add(use())
    assert await hot.write(counts.upserts(), [row_id, row_id + 1]) is False
    assert await hot.logged(merged=False, most=9) != []
    assert await hot.write(counts.upserts(), [row_id]) is True
    assert await hot.write(counts.upserts(), [row_id]) is False
    assert (await stored())["hours"] == expected([use()])["hours"]


async def test_ids_are_never_used_again(db: None) -> None:
    hot, known = await log.current().open(), []
    for _ in range(3):
        await log.current().append([use()])
        ((row_id, _),) = await hot.logged(merged=False, most=9)
        known.append(row_id)
        await log.current().settle()
    assert known == sorted(set(known))


async def test_every_reader_sees_a_use_at_once(team: Team) -> None:
    key = (await make_key(team)).key
    for number in range(1, 4):
        now = await database.now()
        await log.current().append([use(key.id, hour=clock.hour_of(now), first_at=now, last_at=now)])
        if number == 1:
            assert (await keys.get(team.owner, key.id)).last_used_at == now
        elif number == 2:
            callers = await caller_service.of_key(*await at(team.owner, key.id))
            assert [each.requests for each in callers] == [2]
        else:
            access = await seen(team.owner, team.slug)
            assert (await service.of_key(access, key)).counts.total == 3
            assert (await service.last_used(access)) == now


async def test_the_last_use_under_the_lock_includes_what_is_not_counted(team: Team) -> None:
    key = (await make_key(team)).key
    async with database.transaction():
        assert await log.lock_use(key.id) is None
    now = await database.now()
    await log.current().append([use(key.id, first_at=now, last_at=now)])
    async with database.transaction():
        assert await log.lock_use(key.id) == now
        assert (await stored())["hours"] != []
        assert await rows() == []


async def test_nothing_is_appended_while_a_change_decides_by_the_last_use(team: Team) -> None:
    key = (await make_key(team)).key
    async with database.transaction():
        assert await log.lock_use(key.id) is None
        late = asyncio.create_task(log.current().append([use(key.id)]))
        done, _ = await asyncio.wait([late], timeout=0.1)
        assert not done
    await late
    assert len(await rows()) == 1


async def test_what_cannot_be_counted_is_not_appended_for_long(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failing fold: the log is bounded by time and by rows, and everything that was answered is counted later."""
    usage_log = log.current()
    hot = await usage_log.open()
    await usage_log.settle()

    async def failing(*_: Any) -> Any:
        raise Unavailable(internal="the counters are locked")

    write = hot.write
    monkeypatch.setattr(hot, "write", failing)
    monkeypatch.setattr(log, "MOST_USES", 5)
    monkeypatch.setattr(log, "MOST_BEHIND_SECONDS", 60.0)
    answered = 0
    for _ in range(20):
        try:
            await usage_log.append([use()])
            answered += 1
        except Unavailable:
            break
    assert answered == 6
    assert len(await rows()) == answered
    with pytest.raises(Unavailable):
        await database.fetch("SELECT SUM(requests) AS n FROM usage_hour")
    monkeypatch.setattr(hot, "write", write)
    await usage_log.append([use()])
    assert (await stored())["hours"] == expected([use()] * (answered + 1))["hours"]

    monkeypatch.setattr(hot, "write", failing)
    monkeypatch.setattr(log, "MOST_BEHIND_SECONDS", 0.05)
    await usage_log.append([use()])
    with pytest.raises(Unavailable):
        await usage_log.settle()
    await asyncio.sleep(0.1)
    with pytest.raises(Unavailable):
        await usage_log.append([use()])
    monkeypatch.setattr(hot, "write", write)
    assert (await stored())["hours"] == expected([use()] * (answered + 2))["hours"]


async def test_a_key_is_revoked_even_if_nothing_can_be_counted(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    key = (await make_key(team)).key
    hot = await log.current().open()
    await log.current().append([use(key.id)])

    async def failing(*_: Any) -> Any:
        raise Unavailable(internal="the counters are locked")

    with monkeypatch.context() as patched:
        patched.setattr(hot, "write", failing)
        await keys.revoke(team.owner, key.id, Reason.EXPOSED_IN_LOGS)
    assert (await keys.get(team.owner, key.id)).revocation is not None
    assert (await stored())["hours"] == expected([use(key.id)])["hours"]


async def test_a_reader_that_gives_up_does_not_end_the_fold(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    usage_log = log.current()
    hot = await usage_log.open()
    await usage_log.append([use()])
    go, write, folds = asyncio.Event(), hot.write, []

    async def waiting(*arguments: Any) -> Any:
        folds.append(arguments)
        await go.wait()
        return await write(*arguments)

    monkeypatch.setattr(hot, "write", waiting)
    monkeypatch.setattr(database, "SETTLE_SECONDS", 0.05)
    for _ in range(2):
        with pytest.raises(Unavailable):
            await database.settle()
    monkeypatch.setattr(database, "SETTLE_SECONDS", 10)
    readers = [asyncio.create_task(stored()) for _ in range(3)]
    go.set()
    for reader in readers:
        assert (await reader)["hours"] == expected([use()])["hours"]
    assert len(folds) == 1


async def test_a_reader_waits_longer_for_a_lock_than_a_verification(team: Team) -> None:
    if database.is_sqlite():
        pytest.skip("SQLite's readers wait for no lock")
    key, hot = (await make_key(team)).key, await log.current().open()
    await log.current().append([use(key.id)])
    locked, over = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        async with database.transaction():
            await database.fetch("LOCK TABLE usage_log IN ACCESS EXCLUSIVE MODE")
            locked.set()
            await over.wait()

    holding = asyncio.create_task(hold())
    await locked.wait()
    with pytest.raises(Unavailable):
        await hot.is_log_empty()
    reading = asyncio.create_task(stored())
    await asyncio.sleep(0.5)
    over.set()
    assert [row[-1] for row in (await reading)["hours"]] == [1]
    await holding


async def test_a_change_that_depends_on_use_counts_what_was_answered_meanwhile(team: Team) -> None:
    key = (await make_key(team)).key
    before = asyncio.create_task(log.current().append([use(key.id)]))
    if database.is_sqlite():  # where nothing is appended during a change
        await before
    async with database.transaction():
        await asyncio.wait([before])
        await log.count_in_change()
        assert (await stored())["hours"] == expected([use(key.id)])["hours"]
    assert await rows() == []


async def test_the_log_is_folded_in_the_background_and_empty_at_the_end(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "FOLD_SECONDS", 0.01)
    async with log.folding(), asyncio.timeout(20):
        await log.current().append([use()])
        while await rows():
            await asyncio.sleep(0.01)
        monkeypatch.setattr(log, "FOLD_SECONDS", 60)
        await asyncio.sleep(0.05)
        await log.current().append([use()])
    assert await rows() == []
    assert (await stored())["hours"] == expected([use()] * 2)["hours"]


async def test_a_large_log_waits_for_more_uses_but_not_for_long(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "FOLD_SECONDS", 0.01)
    monkeypatch.setattr(log, "FEW_USES", 3)
    monkeypatch.setattr(log, "MANY_USES", 99)
    monkeypatch.setattr(log, "MOST_WAITING_SECONDS", 60.0)
    usage_log, folds = log.current(), 0
    settle = usage_log.settle

    async def counted() -> None:
        nonlocal folds
        folds += 1
        await settle()

    monkeypatch.setattr(usage_log, "settle", counted)
    appended = 0

    async def append(uses: int) -> None:
        nonlocal appended
        await usage_log.append([use()] * uses)
        appended += uses

    async def counted_all() -> None:
        while await rows():
            await asyncio.sleep(0.01)

    async with log.folding(), asyncio.timeout(20):
        await append(2)
        await counted_all()
        while usage_log.is_due():  # a fold that was due before may count the first of these
            await append(5)
        before, waiting = folds, await rows()
        await asyncio.sleep(0.1)
        assert (folds, await rows()) == (before, waiting) and waiting
        await append(99)
        await counted_all()
        while usage_log.is_due():
            await append(5)
        monkeypatch.setattr(log, "MOST_WAITING_SECONDS", 0.0)
        await counted_all()
    assert (await stored())["hours"] == expected([use()] * appended)["hours"]


async def test_while_the_disk_is_slow_commits_wait_for_it_in_a_thread(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    if not database.is_sqlite():
        pytest.skip("PostgreSQL waits for its disk itself")
    hot: Any = await log.current().open()
    threads: list[int] = []

    def seen(last: Any) -> bool:
        threads.append(threading.get_ident())
        return bool(run(last))

    run = hot._run
    monkeypatch.setattr(hot, "_run", seen)
    for usual, is_own in ((0.0, False), (1.0, True)):
        monkeypatch.setattr(hot, "_usual_seconds", usual)
        threads.clear()
        await log.current().append([use()])
        assert (threads == [threading.get_ident()]) is not is_own
    for _ in range(60):  # each fast commit brings the mean down
        await log.current().append([use()])
    assert hot._usual_seconds < 0.1


async def test_reads_of_a_block_share_one_fold_and_see_what_was_answered_before_it(team: Team) -> None:
    key = (await make_key(team)).key
    await log.current().append([use(key.id)])
    with database.settled_once():
        first, *_ = await asyncio.gather(stored(), stored(), stored())
        await log.current().append([use(key.id)])
        assert await stored() == first and len(await rows()) == 1
    assert [row[-1] for row in first["hours"]] == [1]
    assert [row[-1] for row in (await stored())["hours"]] == [2] and await rows() == []


async def test_a_block_whose_fold_failed_folds_at_its_next_read(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    key, usage_log = (await make_key(team)).key, log.current()
    await usage_log.append([use(key.id)])
    settle = usage_log.settle

    async def failing() -> None:
        monkeypatch.setattr(usage_log, "settle", settle)
        raise Unavailable

    monkeypatch.setattr(usage_log, "settle", failing)
    with database.settled_once():
        with pytest.raises(Unavailable):
            await stored()
        assert [row[-1] for row in (await stored())["hours"]] == [1]


async def test_a_backup_includes_what_is_not_counted_yet(settings: Settings, team: Team, tmp_path: Any) -> None:
    key = (await make_key(team)).key
    await log.current().append([use(key.id)])
    await backups.save(tmp_path / "copy")
    before = await rows()
    assert len(before) == 1
    await database.settle()
    await backups.restore(settings, tmp_path / "copy", replace=True, with_journal=True)
    assert await rows() == before
    await log.current().append([use(key.id)])
    hours = (await stored())["hours"]
    assert [row[-1] for row in hours] == [2]
