"""Requests of known keys are logged with the id of the answer and the rule that refused them, if their workspace keeps a log."""

from __future__ import annotations

import asyncio

import pytest

from app import database
from app.clock import rfc3339
from app.keys import service as keys
from app.keys.key import Reason
from app.paging import Window
from app.request_log import retention
from app.request_log import service as request_log
from app.request_log import store as request_store
from app.request_log.request import LoggedRequest, Rule
from app.usage import service as usage
from app.workspaces import service as workspaces
from tests.conftest import Team, make_key
from tests.support.access import seen
from tests.verification.conftest import NOW, Service, change_key


@pytest.fixture(autouse=True)
def at_one_moment(service: Service) -> None:
    database.freeze(NOW)


async def logged(team: Team, key_id: str) -> list[LoggedRequest]:
    access = await seen(team.owner, team.slug)
    return list((await request_log.requests(access, await keys.find(access, key_id), Window(100))).items)


async def test_an_accepted_request_is_logged_with_the_id_of_its_answer(service: Service, team: Team) -> None:
    made = await make_key(team)
    answer = await service.verify(made.secret, permission="pdf.read", ip="203.0.113.9", userAgent="billing/2.1 (linux)")
    assert await logged(team, made.key.id) == [
        LoggedRequest(answer["requestId"], made.key.id, NOW, "VALID", "pdf.read", "203.0.113.0/24", "billing")
    ]


async def test_a_refused_request_is_logged_with_the_rule_as_it_was(service: Service, team: Team) -> None:
    made = await make_key(team)
    answer = await service.verify(made.secret, permission="pdf.delete", ip="203.0.113.9")
    assert answer["code"] == "PERMISSION_DENIED"
    await change_key(made.key.id, permissions="pdf.delete")
    (found,) = await logged(team, made.key.id)
    assert (found.id, found.outcome, found.permission) == (answer["requestId"], "PERMISSION_DENIED", "pdf.delete")
    assert found.rule == Rule(allowed=("pdf.generate", "pdf.read"))


async def test_forward_auth_logs_the_id_that_its_answer_has(service: Service, team: Team) -> None:
    made = await make_key(team)
    good = await service.forward(("x-api-key", str(made.secret)), ("x-forwarded-for", "198.51.100.7"))
    await keys.revoke(team.owner, made.key.id, Reason.OTHER)
    bad = await service.forward(("x-api-key", str(made.secret)))
    assert (good.status_code, bad.status_code) == (204, 401)
    named = {good.headers["x-request-id"]: "VALID", bad.json()["instance"].removeprefix("urn:keydesk:request:"): "REVOKED"}
    assert {request.id: request.outcome for request in await logged(team, made.key.id)} == named


async def test_a_request_that_a_report_will_count_is_logged_once_and_counted_once(service: Service, team: Team) -> None:
    made = await make_key(team)
    answer = await service.verify(made.secret, outcomeFollows=True)
    event = {"keyId": made.key.id, "at": rfc3339(NOW), "status": 200}
    assert (await service.report("6f1b8e58-0000-4000-8000-000000000001", event)).json()["accepted"] == 1
    assert [request.id for request in await logged(team, made.key.id)] == [answer["requestId"]]
    access = await seen(team.owner, team.slug)
    assert (await usage.all_time(access, [await keys.find(access, made.key.id)]))[made.key.id].counts.total == 1


async def test_requests_without_a_known_key_are_not_logged(service: Service, team: Team) -> None:
    made = await make_key(team)
    assert await service.code("nothing") == "MALFORMED"
    assert await service.code(str(made.secret)[:-1]) == "MALFORMED"
    assert not await request_store.is_any_due(0, 0)


async def test_a_workspace_without_a_log_stores_nothing_and_deletes_what_it_had(service: Service, team: Team) -> None:
    made, other = await make_key(team), await make_key(team, "Other")
    await service.verify(made.secret)
    await workspaces.update(team.owner, team.slug, logs_requests=False)
    await service.verify(made.secret)
    assert await logged(team, made.key.id) == []
    await retention.tidy(NOW)
    await workspaces.update(team.owner, team.slug, logs_requests=True)
    assert await logged(team, made.key.id) == []
    answer = await service.verify(other.secret)
    assert [request.id for request in await logged(team, other.key.id)] == [answer["requestId"]]


async def test_a_batch_of_requests_logs_all_of_them(service: Service, team: Team) -> None:
    made = [await make_key(team, f"Key {number}") for number in range(4)]
    await change_key(made[0].key.id, suspended_at=NOW)
    answers = await asyncio.gather(*(service.verify(each.secret, permission="pdf.read") for each in made * 10))
    found = [request.id for each in made for request in await logged(team, each.key.id)]
    assert sorted(found) == sorted(answer["requestId"] for answer in answers)
