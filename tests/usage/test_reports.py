"""Usage reports: valid events count, invalid ones are listed, and a batch counts once however often it is sent."""

from __future__ import annotations

import asyncio
import random
import uuid
from typing import Any

import pytest
from graphql import GraphQLError

from app import clock, database
from app.api.framework import scalars
from app.clock import rfc3339
from app.usage import log as usage_log
from app.usage import reports
from app.usage.counters import Use
from app.usage.reports import BATCHES_KEPT, Event, Fault
from tests.conftest import Team, make_key
from tests.support.statements import counted
from tests.verification.conftest import NOW, THIS_HOUR, Service, counters, gateway_token, hours, last_used
from tests.verification.test_requests import problem

Body = dict[str, Any]


def batch() -> str:
    return str(uuid.uuid4())


def event(key_id: str, at: int = NOW, status: int = 200, **more: Any) -> Body:
    return {"keyId": key_id, "at": rfc3339(at), "status": status} | more


async def accepted(service: Service, *events: Any, batch_id: str | None = None) -> Body:
    response = await service.report(batch_id or batch(), *events)
    assert response.status_code == 200, response.text
    assert response.headers["cache-control"] == "no-store"
    body: Body = response.json()
    return body


async def test_a_status_below_400_is_a_success_and_any_other_a_failure(service: Service, team: Team) -> None:
    database.freeze(NOW)
    key = (await make_key(team)).key.id
    statuses = (100, 200, 204, 302, 399, 400, 404, 499, 500, 599)
    answer = await accepted(service, *(event(key, status=status, permission="pdf.read") for status in statuses))
    assert answer == {"accepted": 10, "rejected": [], "duplicate": False}
    assert await counters() == {(key, "pdf.read", "SUCCEEDED"): 5, (key, "pdf.read", "FAILED"): 5}


@pytest.mark.parametrize(
    ("written", "fine"),
    [
        ("2026-11-23T20:15:00z", True),
        ("2026-11-23t20:15:00.123456789Z", True),
        ("2026-11-23T22:15:00+02:00", True),
        ("2026-11-23 20:15:00Z", False),
        ("2026-11-23T20:15:00+0000", False),
        ("2026-11-23T20:15:00,123Z", False),
        ("20261123T201500Z", False),
        ("2026-11-23T20:15Z", False),
    ],
)
def test_a_report_reads_instants_as_graphql_does(written: str, fine: bool) -> None:
    for read in (reports.parse_instant, scalars.parse_instant):
        try:
            read(written)
            understood = True
        except (ValueError, GraphQLError):
            understood = False
        assert understood is fine


async def test_faults_of_an_event_have_clear_messages(service: Service, team: Team) -> None:
    database.freeze(NOW)
    key = (await make_key(team)).key.id
    faults = [
        {"at": "yesterday"},
        {"at": "2026-11-23T20:15:00"},
        {"ip": "nowhere"},
        {"ip": "fe80::1%x"},
    ]
    answer = await accepted(service, *(event(key) | fault for fault in faults))
    instant, address = (
        "`at` is RFC 3339 with an offset, like 2027-01-31T12:00:00Z.",
        "`ip` is not an address, like 203.0.113.9 or 2001:db8::1.",
    )
    assert [(each["code"], each["message"]) for each in answer["rejected"]] == [
        *[("INVALID_EVENT", instant)] * 2,
        *[("INVALID_EVENT", address)] * 2,
    ]


async def test_events_count_in_their_hour_and_set_last_used_to_the_latest(service: Service, team: Team) -> None:
    database.freeze(NOW)
    key = (await make_key(team)).key.id
    await accepted(service, event(key, NOW - clock.SECOND, ip="203.0.113.9"), event(key, THIS_HOUR - 1, ip="203.0.113.1"))
    assert await hours() == {THIS_HOUR - clock.HOUR, THIS_HOUR}
    assert await last_used(key) == (NOW - clock.SECOND, "203.0.113.9")
    await accepted(service, event(key, NOW - clock.DAY, ip="203.0.113.2"))
    assert await last_used(key) == (NOW - clock.SECOND, "203.0.113.9")


async def test_an_event_from_a_clock_that_is_ahead_creates_no_use_in_the_future(service: Service, team: Team) -> None:
    database.freeze(NOW)
    key = (await make_key(team)).key.id
    await accepted(service, event(key, NOW + 5 * clock.MINUTE))
    assert await last_used(key) == (NOW, None)


@pytest.mark.parametrize(
    ("offset", "is_good"),
    [
        (5 * clock.MINUTE, True),
        (5 * clock.MINUTE + 1, False),
        (-30 * clock.DAY, True),
        (-30 * clock.DAY - 1, False),
    ],
)
async def test_an_event_lies_30_days_back_and_5_minutes_ahead_at_most(
    service: Service, team: Team, offset: int, is_good: bool
) -> None:
    database.freeze(NOW)
    key = (await make_key(team)).key.id
    answer = await accepted(service, event(key, NOW + offset))
    assert answer["accepted"] == is_good
    assert [fault["code"] for fault in answer["rejected"]] == ([] if is_good else ["AT_OUT_OF_RANGE"])


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"keyId": "key_" + "a" * 20}, "NOT_FOUND"),
        ({"keyId": "wsp_" + "a" * 20}, "NOT_FOUND"),
        ({"keyId": ""}, "NOT_FOUND"),
        ({"keyId": "\x00"}, "NOT_FOUND"),
        ({"keyId": "a" * 5_000}, "NOT_FOUND"),
        ({"keyId": 1}, "INVALID_EVENT"),
        ({"at": "yesterday"}, "INVALID_EVENT"),
        ({"at": "2026-11-23T20:15:00"}, "INVALID_EVENT"),
        ({"at": "0001-01-01T00:00:00+23:59"}, "AT_OUT_OF_RANGE"),
        ({"at": "9999-12-31T23:59:59-23:59"}, "AT_OUT_OF_RANGE"),
        ({"at": "9001-01-01T00:00:00Z"}, "AT_OUT_OF_RANGE"),
        ({"at": NOW}, "INVALID_EVENT"),
        ({"status": 99}, "INVALID_STATUS"),
        ({"status": 600}, "INVALID_STATUS"),
        ({"status": "200"}, "INVALID_EVENT"),
        ({"status": True}, "INVALID_EVENT"),
        ({"status": 10**30}, "INVALID_STATUS"),
        ({"permission": "pdf.genrate"}, "UNKNOWN_PERMISSION"),
        ({"permission": "\x00"}, "UNKNOWN_PERMISSION"),
        ({"ip": "nowhere"}, "INVALID_EVENT"),
        ({"userAgent": 7}, "INVALID_EVENT"),
        ({"outcome": "fine"}, "INVALID_EVENT"),
        ({"x" * 5_000: 1}, "INVALID_EVENT"),
    ],
)
async def test_an_invalid_event_is_listed_and_does_not_affect_others(
    service: Service, team: Team, changes: Body, code: str
) -> None:
    database.freeze(NOW)
    key = (await make_key(team)).key.id
    answer = await accepted(service, event(key), event(key) | changes, event(key))
    (fault,) = answer["rejected"]
    assert (answer["accepted"], fault["index"], fault["code"]) == (2, 1, code)
    assert 0 < len(fault["message"]) <= 300
    assert await counters() == {(key, "", "SUCCEEDED"): 2}


async def test_a_value_that_is_not_an_event_is_listed(service: Service, db: None) -> None:
    answer = await accepted(service, None, 1, "x", [], {}, [[[]]])
    assert (answer["accepted"], [fault["index"] for fault in answer["rejected"]]) == (0, [0, 1, 2, 3, 4, 5])


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"batchId": "not a uuid", "events": []},
        {"batchId": 7, "events": []},
        {"batchId": "6f1c0a52-7d41-4b7e-9c2e-0d5a4e1f9b11"},
        {"batchId": "6f1c0a52-7d41-4b7e-9c2e-0d5a4e1f9b11", "events": {}},
        {"batchId": "6f1c0a52-7d41-4b7e-9c2e-0d5a4e1f9b11", "events": [], "more": 1},
        {"batchId": "6f1c0a52-7d41-4b7e-9c2e-0d5a4e1f9b11", "events": [{}] * 1_001},
    ],
)
async def test_an_invalid_batch_is_refused(service: Service, db: None, body: Body) -> None:
    problem(await service.post("/v1/usage", json=body), 400, "BAD_REQUEST")
    assert await database.fetch("SELECT batch FROM usage_batch") == []


async def test_a_thousand_events_are_one_batch_in_few_statements(service: Service, team: Team) -> None:
    database.freeze(NOW)
    made = [(await make_key(team, f"Key {number}")).key.id for number in range(10)]
    events = [event(key, NOW - number * clock.HOUR, permission="pdf.read") for number in range(100) for key in made]
    with counted() as statements:
        assert (await accepted(service, *events))["accepted"] == 1_000
    assert len(statements) < 15
    assert await counters() == {(key, "pdf.read", "SUCCEEDED"): 100 for key in made}


async def test_a_report_in_progress_is_not_stopped_by_the_limit_on_waiting(
    service: Service, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.freeze(NOW)
    key, log = (await make_key(team)).key.id, usage_log.current()
    append = log.append_in_transaction
    begun = asyncio.get_running_loop().time()

    async def on_a_busy_machine(uses: list[Use]) -> None:
        while asyncio.get_running_loop().time() < begun + reports._PATIENCE_SECONDS * 1.2:
            await asyncio.sleep(0.01)
        await append(uses)

    monkeypatch.setattr(log, "append_in_transaction", on_a_busy_machine)
    assert (await accepted(service, event(key)))["accepted"] == 1
    assert await counters() == {(key, "", "SUCCEEDED"): 1}


async def test_unknown_names_are_looked_up_once_per_report(service: Service, team: Team) -> None:
    database.freeze(NOW)
    key = (await make_key(team)).key.id
    with counted() as statements:
        answer = await accepted(service, *(event(key, permission="gone.long_ago") for _ in range(50)))
    assert len(answer["rejected"]) == 50
    assert len(statements) < 8


async def test_a_repeated_batch_changes_nothing_and_gets_the_same_answer(service: Service, team: Team) -> None:
    database.freeze(NOW)
    key, again = (await make_key(team)).key.id, batch()
    first = await accepted(service, event(key), event("key_unknown"), batch_id=again)
    for spelling in (again, again.upper(), again.replace("-", "")):
        assert await accepted(service, event(key), event(key), batch_id=spelling) == first | {"duplicate": True}
    assert await counters() == {(key, "", "SUCCEEDED"): 1}


async def test_the_same_batch_of_another_gateway_is_another_batch(service: Service, team: Team) -> None:
    database.freeze(NOW)
    key, same = (await make_key(team)).key.id, batch()
    other = Service(service.app, await gateway_token())
    assert [(await accepted(each, event(key), batch_id=same))["duplicate"] for each in (service, other, other)] == [
        False,
        False,
        True,
    ]
    assert await counters() == {(key, "", "SUCCEEDED"): 2}


async def test_the_same_batch_sent_by_many_at_once_counts_once(service: Service, team: Team) -> None:
    database.freeze(NOW)
    key, same = (await make_key(team)).key.id, batch()
    answers = await asyncio.gather(*(accepted(service, event(key), event(key), batch_id=same) for _ in range(20)))
    assert sorted(answer["duplicate"] for answer in answers) == [False] + [True] * 19
    assert {answer["accepted"] for answer in answers} == {2}
    assert await counters() == {(key, "", "SUCCEEDED"): 2}


async def test_a_gateway_token_of_one_workspace_reports_only_its_keys(service: Service, team: Team, other_team: Team) -> None:
    database.freeze(NOW)
    own, theirs = (await make_key(team)).key.id, (await make_key(other_team)).key.id
    service.token = await gateway_token(workspace=team.slug)
    answer = await accepted(service, event(theirs), event(own), event("key_" + "a" * 20))
    told = [(fault["index"], fault["code"], fault["message"]) for fault in answer["rejected"]]
    assert told == [(0, "NOT_FOUND", told[0][2]), (2, "NOT_FOUND", told[0][2])]
    assert await counters() == {(own, "", "SUCCEEDED"): 1}
    assert await last_used(theirs) == (None, None)


async def test_reports_and_verifications_that_meet_on_many_keys_never_deadlock(service: Service, team: Team) -> None:
    made = [await make_key(team, f"Key {number}") for number in range(10)]
    now = await database.now()
    chance = random.Random(3)

    async def report() -> None:
        await accepted(service, *(event(key.key.id, now) for key in chance.sample(made, 10)))

    async def verify() -> None:
        assert await service.code(chance.choice(made).secret) == "VALID"

    await asyncio.gather(*(report() if number % 4 == 0 else verify() for number in range(120)))
    assert sum((await counters()).values()) == 30 * 10 + 90


async def test_allowed_with_an_outcome_to_follow_and_reported_is_one_request(service: Service, team: Team) -> None:
    created = await make_key(team)
    assert await service.code(created.secret, permission="pdf.read", outcomeFollows=True) == "VALID"
    await accepted(service, event(created.key.id, await database.now(), 502, permission="pdf.read"))
    assert await counters() == {(created.key.id, "pdf.read", "FAILED"): 1}


async def test_batches_are_recognized_for_31_days(service: Service, team: Team) -> None:
    database.freeze(NOW)
    key, old = (await make_key(team)).key.id, batch()
    await accepted(service, event(key), batch_id=old)
    for instant, is_known in ((NOW + BATCHES_KEPT, True), (NOW + BATCHES_KEPT + 1, False)):
        database.freeze(instant)
        await reports.forget_old()
        assert bool(await database.fetch("SELECT batch FROM usage_batch")) is is_known


async def test_faults_found_before_the_report_is_stored_keep_their_index(team: Team) -> None:
    database.freeze(NOW)
    key = (await make_key(team)).key.id
    given = [Fault("INVALID_EVENT", "?"), Event(key, NOW, 200, None, None)]
    answer = await reports.take("gtk_a", None, batch(), given)
    assert answer == {"accepted": 1, "rejected": [{"index": 0, "code": "INVALID_EVENT", "message": "?"}], "duplicate": False}
