"""Counting: what is counted, exactly once, and that the failure of one request does not affect others."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from typing import Any

import asyncpg
import pytest

from app import clock, database
from app.errors import Unavailable
from app.metrics import UNANSWERED, VERIFICATIONS
from app.settings import Settings
from app.usage import log as usage_log
from app.usage import store
from app.usage.counters import CounterBatch
from app.verification.batch import LARGEST
from tests.conftest import Team, make_key
from tests.support.postgres import Postgres
from tests.verification.conftest import NOW, THIS_HOUR, Service, change_key, counters, hours, last_used
from tests.verification.test_requests import problem


async def test_a_valid_request_is_one_success_in_its_hour_and_updates_last_used(service: Service, team: Team) -> None:
    database.freeze(NOW)
    created = await make_key(team)
    await service.verify(created.secret, permission="pdf.read", ip="203.0.113.9")
    assert await last_used(created.key.id) == (NOW, "203.0.113.9")
    database.freeze(NOW + 1)
    await service.verify(created.secret)
    assert await counters() == {(created.key.id, "pdf.read", "VALID"): 1, (created.key.id, "", "VALID"): 1}
    assert await hours() == {THIS_HOUR}
    assert await last_used(created.key.id) == (NOW + 1, None)


async def test_hours_begin_on_the_hour(service: Service, team: Team) -> None:
    created = await make_key(team)
    for instant in (THIS_HOUR - 1, THIS_HOUR, THIS_HOUR + clock.HOUR - 1, THIS_HOUR + clock.HOUR):
        database.freeze(instant)
        await service.verify(created.secret)
    assert await hours() == {THIS_HOUR - clock.HOUR, THIS_HOUR, THIS_HOUR + clock.HOUR}


async def test_a_denial_for_its_permission_is_a_failure_and_a_use(service: Service, team: Team) -> None:
    database.freeze(NOW)
    created = await make_key(team)
    await service.verify(created.secret, permission="pdf.delete", ip="203.0.113.9")
    assert await counters() == {(created.key.id, "pdf.delete", "PERMISSION_DENIED"): 1}
    assert await last_used(created.key.id) == (NOW, "203.0.113.9")


async def test_with_an_outcome_to_follow_an_allowed_request_updates_only_last_used(service: Service, team: Team) -> None:
    database.freeze(NOW)
    created = await make_key(team)
    assert await service.code(created.secret, outcomeFollows=True, ip="2001:db8::1") == "VALID"
    assert await counters() == {}
    assert await last_used(created.key.id) == (NOW, "2001:db8::1")


async def test_with_an_outcome_to_follow_a_denial_is_counted_immediately(service: Service, team: Team) -> None:
    created = await make_key(team)
    await service.verify(created.secret, permission="pdf.delete", outcomeFollows=True)
    assert await counters() == {(created.key.id, "pdf.delete", "PERMISSION_DENIED"): 1}
    await change_key(created.key.id, revoked_at=NOW)
    await service.verify(created.secret, outcomeFollows=True)
    assert (await counters())[(created.key.id, "", "REVOKED")] == 1


async def test_the_total_is_successful_and_failed_and_the_sum_of_everything(service: Service, team: Team) -> None:
    created = await make_key(team)
    asked = ["pdf.read", "pdf.delete", "pdf.read", None, "pdf.delete", "template.write"]
    for permission in asked:
        await service.verify(created.secret, permission=permission)
    day = await database.now() - clock.DAY
    found = (await store.totals([created.key.id], day - day % clock.HOUR, day + 2 * clock.DAY))[created.key.id]
    assert (found.successful, found.failed, found.total) == (3, 3, len(asked))


async def test_concurrent_requests_are_all_answered_and_counted_exactly(service: Service, team: Team) -> None:
    made = [await make_key(team, f"Key {number}") for number in range(5)]
    await change_key(made[4].key.id, suspended_at=NOW)
    asked = [key for key in made for _ in range(2 * LARGEST)]
    random.Random(7).shuffle(asked)
    codes = await asyncio.gather(*(service.code(key.secret, permission="pdf.read") for key in asked))
    assert codes == ["SUSPENDED" if key is made[4] else "VALID" for key in asked]
    expected = {(key.key.id, "pdf.read", "SUSPENDED" if key is made[4] else "VALID"): 2 * LARGEST for key in made}
    assert await counters() == expected


async def test_a_batch_mixes_gateways_and_every_kind_of_text(service: Service, team: Team) -> None:
    created = await make_key(team)
    stranger = Service(service.app, "another-token-of-thirty-two-characters-or-more")
    good, bad, refused = await asyncio.gather(
        service.code(created.secret), service.code("nonsense"), stranger.post("/v1/verify", json={"key": created.secret})
    )
    assert (good, bad, refused.status_code) == ("VALID", "MALFORMED", 401)
    assert await counters() == {(created.key.id, "", "VALID"): 1}


async def test_last_used_never_goes_back_in_whatever_order_batches_arrive(service: Service, team: Team) -> None:
    created = await make_key(team)
    instants = [NOW + number * clock.SECOND for number in range(30)]
    random.Random(11).shuffle(instants)
    latest = 0
    for instant in instants:
        database.freeze(instant)
        latest = max(latest, instant)
        await service.verify(created.secret, ip=f"203.0.113.{(instant - NOW) // clock.SECOND}")
        assert await last_used(created.key.id) == (latest, f"203.0.113.{(latest - NOW) // clock.SECOND}")


async def test_a_client_that_disconnects_affects_no_other_and_counts_once(service: Service, team: Team) -> None:
    created = await make_key(team)
    questions = [asyncio.create_task(service.code(created.secret)) for _ in range(20)]
    while not service.looked_up:
        await asyncio.sleep(0)
    for question in questions[::2]:
        question.cancel()
    answers = await asyncio.gather(*questions, return_exceptions=True)
    assert [answer for answer in answers if isinstance(answer, str)] == ["VALID"] * 10
    # The next answer comes after the batch of the disconnected clients has ended.
    assert await service.code(created.secret) == "VALID"
    await service.app._batches.close()
    assert 11 <= (await counters())[(created.key.id, "", "VALID")] <= 21


async def test_a_batch_with_an_unknown_commit_result_is_a_503_for_all_and_is_never_retried(
    service: Service, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    created = await make_key(team)
    tried: list[Any] = []

    async def failing(uses: Any) -> None:
        tried.append(uses)
        raise Unavailable(internal="the connection went away during COMMIT")

    before = UNANSWERED._value.get()
    monkeypatch.setattr(usage_log.current().hot, "append", failing)
    responses = await asyncio.gather(*(service.post("/v1/verify", json={"key": created.secret}) for _ in range(5)))
    for response in responses:
        problem(response, 503, "UNAVAILABLE")
        assert response.headers["retry-after"] == "1"
        assert "valid" not in response.json()
    assert UNANSWERED._value.get() - before == 5
    monkeypatch.undo()
    assert await counters() == {}
    assert len(tried) <= 5
    assert await service.code(created.secret) == "VALID"


async def test_an_internal_error_is_a_503_without_details(service: Service, team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    async def failing(*_: Any) -> Any:
        raise ZeroDivisionError("SELECT secret FROM somewhere")

    monkeypatch.setattr(usage_log.current().hot, "read", failing)
    for response in (
        await service.post("/v1/verify", json={"key": "x"}),
        await service.forward(("x-api-key", "x")),
    ):
        assert "SELECT" not in response.text
        assert problem(response, 503, "UNAVAILABLE")


async def test_every_answer_is_in_the_metrics_by_its_code(service: Service, team: Team) -> None:
    def metric(code: str) -> float:
        return float(VERIFICATIONS.labels(code)._value.get())

    created = await make_key(team)
    before = {code: metric(code) for code in ("VALID", "MALFORMED", "NOT_FOUND", "PERMISSION_DENIED")}
    await asyncio.gather(*(service.verify(created.secret) for _ in range(3)))
    await service.verify("nonsense")
    await service.verify(created.secret, permission="pdf.delete")
    after = {code: metric(code) - count for code, count in before.items()}
    assert after == {"VALID": 3, "MALFORMED": 1, "NOT_FOUND": 0, "PERMISSION_DENIED": 1}


async def test_while_another_process_holds_the_write_lock_it_answers_503_and_then_counts_again(
    service: Service, team: Team, settings: Settings
) -> None:
    if settings.sqlite_path is None:
        pytest.skip("PostgreSQL has no lock on the whole database")
    created = await make_key(team)
    other = sqlite3.connect(settings.sqlite_path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        problem(await service.post("/v1/verify", json={"key": created.secret}), 503, "UNAVAILABLE")
        # A malformed key needs no counting, so it can be answered.
        assert await service.code("nonsense") == "MALFORMED"
    finally:
        other.execute("ROLLBACK")
        other.close()
    assert await service.code(created.secret) == "VALID"
    assert await counters() == {(created.key.id, "", "VALID"): 1}


async def test_during_a_long_change_in_this_process_no_answer_is_wrong(service: Service, team: Team) -> None:
    if not database.is_sqlite():
        pytest.skip("PostgreSQL locks rows")
    created = await make_key(team)
    async with database.transaction():
        problem(await service.post("/v1/verify", json={"key": created.secret}), 503, "UNAVAILABLE")
    assert await service.code(created.secret) == "VALID"


@pytest.mark.filterwarnings("ignore::ResourceWarning")
async def test_without_the_database_it_answers_503_and_recovers_by_itself(
    service: Service, team: Team, settings: Settings, request: pytest.FixtureRequest
) -> None:
    if database.is_sqlite():
        pytest.skip("a file does not go away")
    server: Postgres = request.getfixturevalue("postgres")
    created = await make_key(team)
    assert await service.code(created.secret) == "VALID"
    (name,) = (await database.fetch("SELECT current_database() AS name"))[0].values()
    operator = await asyncpg.connect(server.uri)
    try:
        await operator.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        await operator.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
        for _ in range(4):
            problem(await service.post("/v1/verify", json={"key": created.secret}), 503, "UNAVAILABLE")
    finally:
        await operator.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        await operator.close()
    assert await service.code(created.secret) == "VALID"
    assert await counters() == {(created.key.id, "", "VALID"): 2}


async def test_requests_beyond_what_can_be_answered_in_time_are_refused(
    service: Service, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.verification.batch.MOST_WAITING", 3)
    created = await make_key(team)
    responses = await asyncio.gather(*(service.post("/v1/verify", json={"key": created.secret}) for _ in range(30)))
    answered = [response for response in responses if response.status_code == 200]
    assert answered and {response.status_code for response in responses} <= {200, 503}
    assert await counters() == {(created.key.id, "", "VALID"): len(answered)}


def test_a_batch_of_counters_keeps_the_latest_use_and_the_common_lock_order() -> None:
    tally = CounterBatch()
    for key, at in (("key_b", NOW), ("key_a", NOW + 1), ("key_b", NOW - 1)):
        tally.count(key, at, "pdf.read", "VALID")
        tally.touch(key, at, f"at {at}")
    counts, used = tally.upserts()
    assert (counts.table, used.table) == ("usage_hour", "key_last_used")
    assert counts.rows == sorted(counts.rows) and used.rows == [("key_a", NOW + 1, f"at {NOW + 1}"), ("key_b", NOW, f"at {NOW}")]
    assert CounterBatch().upserts() == []
