"""Reporting outcomes to Keydesk: each is counted once, none is dropped."""

from __future__ import annotations

import asyncio
import dataclasses
import logging

import pytest

from keydesk_client import Batch, KeydeskError, KeydeskRefused, KeydeskUnavailable, Outcome, Receipt
from keydesk_client.client import Keydesk
from keydesk_client.outcome import MAXIMUM_BATCH, MAXIMUM_USER_AGENT, tidy_user_agent
from keydesk_client.reporter import Reporter
from tests.client.conftest import URL, Upstream, caller, counted, protect
from tests.client.test_middleware import starlette_app
from tests.conftest import GATEWAY_TOKEN, Team, make_key

OUTCOME = Outcome(key_id="key_a", status=200)


class Desk:
    """Keydesk's side of a report: records the batches it gets, and fails as often as the test sets."""

    def __init__(self, *failures: KeydeskError) -> None:
        self.batches: list[Batch] = []
        self._failures = list(failures)

    async def take(self, batch: Batch) -> Receipt:
        self.batches.append(batch)
        if self._failures:
            raise self._failures.pop(0)
        return Receipt(len(batch.outcomes))


async def test_outcomes_are_sent_together_and_not_one_by_one() -> None:
    desk = Desk()
    reporter = Reporter(desk.take)
    for _ in range(10):
        reporter.add(OUTCOME)
    assert (reporter.pending, desk.batches) == (10, [])
    assert await reporter.flush(5) == 0
    assert [len(batch.outcomes) for batch in desk.batches] == [10]


async def test_after_the_interval_all_queued_outcomes_are_sent() -> None:
    sent = asyncio.Event()

    async def take(batch: Batch) -> Receipt:
        sent.set()
        return Receipt(1)

    Reporter(take, interval_seconds=0.01).add(OUTCOME)
    await asyncio.wait_for(sent.wait(), 10)


async def test_a_full_batch_does_not_wait_for_the_interval_and_none_is_larger() -> None:
    desk = Desk()
    reporter = Reporter(desk.take, interval_seconds=3600)
    for _ in range(2 * MAXIMUM_BATCH + 500):
        reporter.add(OUTCOME)
    while len(desk.batches) < 2:
        await asyncio.sleep(0)
    assert [len(batch.outcomes) for batch in desk.batches] == [MAXIMUM_BATCH, MAXIMUM_BATCH]
    assert await reporter.flush(5) == 0
    assert len(desk.batches[2].outcomes) == 500
    assert len({batch.id for batch in desk.batches}) == 3


async def test_a_retry_carries_the_same_id_and_the_same_outcomes() -> None:
    desk = Desk(KeydeskUnavailable("down"), KeydeskRefused("token", status=401), KeydeskUnavailable("down"))
    reporter = Reporter(desk.take)
    reporter.add(OUTCOME)
    assert await reporter.flush(30) == 0
    assert len(desk.batches) == 4
    assert len(set(desk.batches)) == 1


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_a_permanently_refused_batch_does_not_stop_the_others(status: int, caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk(KeydeskRefused("no", status=status))
    reporter = Reporter(desk.take)
    reporter.add(OUTCOME)
    assert await reporter.flush(5) == 0
    reporter.add(dataclasses.replace(OUTCOME, status=404))
    assert await reporter.flush(5) == 0
    assert [batch.outcomes[0].status for batch in desk.batches] == [200, 404]
    assert "refused 1 outcomes, they are not counted" in caplog.text


async def test_outcomes_not_reported_in_time_are_logged_kept_and_reported_later() -> None:
    down = True

    async def take(batch: Batch) -> Receipt:
        if down:
            raise KeydeskUnavailable("down")
        return Receipt(1)

    reporter = Reporter(take)
    reporter.add(OUTCOME)
    assert await reporter.flush(0.01) == 1
    down = False
    assert await reporter.flush(5) == 0


async def test_when_the_queue_is_full_no_more_is_accepted_and_nothing_is_dropped() -> None:
    desk = Desk()
    reporter = Reporter(desk.take, capacity=3)
    for full in (False, False, True):
        reporter.add(OUTCOME)
        assert reporter.full is full
    reporter.add(OUTCOME)  # a request that was already in progress
    assert await reporter.flush(5) == 0
    assert sum(len(batch.outcomes) for batch in desk.batches) == 4
    assert not reporter.full


async def test_rejected_outcomes_are_logged_by_code(caplog: pytest.LogCaptureFixture) -> None:
    async def take(batch: Batch) -> Receipt:
        return Receipt(1, ("NOT_FOUND", "AT_OUT_OF_RANGE", "NOT_FOUND"))

    reporter = Reporter(take)
    reporter.add(OUTCOME)
    await reporter.flush(5)
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert said == ["keydesk rejected 2 outcomes: NOT_FOUND", "keydesk rejected 1 outcomes: AT_OUT_OF_RANGE"]


def test_an_event_loop_that_ends_loses_no_outcome() -> None:
    desk = Desk(KeydeskUnavailable("down"))
    reporter = Reporter(desk.take, interval_seconds=0)

    async def add() -> None:
        reporter.add(OUTCOME)
        while not desk.batches:
            await asyncio.sleep(0)

    async def flush() -> int:
        reporter.add(OUTCOME)
        return await reporter.flush(5)

    with asyncio.Runner() as first:
        first.run(add())
    with asyncio.Runner() as second:
        assert second.run(flush()) == 0
    assert [len(batch.outcomes) for batch in desk.batches] == [1, 1, 1]
    assert desk.batches[0] == desk.batches[1] != desk.batches[2]


async def test_lost_answers_make_no_request_count_twice(team: Team, upstream: Upstream) -> None:
    made = await make_key(team)
    desk = Keydesk(URL, GATEWAY_TOKEN, transport=upstream)
    reporter = Reporter(desk.report)
    for status in (200, 201, 404, 500):
        reporter.add(Outcome(key_id=made.key.id, status=status, permission="pdf.read"))
    upstream.lost_answers = 2
    assert await reporter.flush(30) == 0
    assert upstream.asked == ["/v1/usage"] * 3
    await desk.aclose()
    assert await counted(team, made.key.id) == (2, 2)


async def test_keydesk_takes_the_largest_batch_there_can_be(team: Team, upstream: Upstream) -> None:
    made = await make_key(team)
    agent = tidy_user_agent('"\\\xff' * 1_000)
    assert agent is not None and len(agent) == MAXIMUM_USER_AGENT
    ip = "2001:db8:1111:2222:3333:4444:5555:6666"
    outcome = Outcome(key_id=made.key.id, status=200, permission="template.write", ip=ip, user_agent=agent)
    async with Keydesk(URL, GATEWAY_TOKEN, transport=upstream) as desk:
        receipt = await desk.report(Batch((outcome,) * MAXIMUM_BATCH))
    assert receipt == Receipt(MAXIMUM_BATCH)
    assert await counted(team, made.key.id) == (MAXIMUM_BATCH, 0)


async def test_an_outage_of_keydesk_loses_no_outcome(team: Team, upstream: Upstream) -> None:
    made = await make_key(team)
    app = protect(starlette_app(), upstream, drain_seconds=0.01)
    async with caller(app, made.secret) as api:
        assert (await api.get("/pdfs/7")).status_code == 200
        upstream.down = True
        assert (await api.get("/pdfs/7")).status_code == 503
        await app.aclose()
        assert await counted(team, made.key.id) == (0, 0)
        upstream.down = False
        assert (await api.get("/pdfs/none")).status_code == 404
    app._drain_seconds = 10
    await app.aclose()
    assert await counted(team, made.key.id) == (1, 1)
