"""The demo: its contents, that repeating it duplicates nothing, and that its history is consistent."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import pytest

from app import catalogue, clock, database, runtime
from app.access.actor import Actor
from app.audit import service as audit
from app.audit import store as audit_store
from app.authentication import service as authentication
from app.clock import DAY, HOUR, MINUTE
from app.demo import service as demo
from app.demo.scenario import EMAIL, SCENARIO
from app.demo.traffic import DAYS, tallies
from app.errors import Conflict, NotAllowed
from app.keys import service as keys
from app.keys.key import ApiKey, Reason, RotationDue, Status
from app.paging import Window
from app.plans import service as plans
from app.request_log import service as request_log
from app.request_log.request import LoggedRequest
from app.rotations import service as rotations
from app.rotations.rotation import State
from app.tenancy import store as workspace_store
from app.usage import caller_service
from app.usage import service as usage
from app.usage.usage import USES, Granularity
from app.users import store as user_store
from tests.conftest import make_team
from tests.support.access import at, seen
from tests.support.users import sign_in, token_of

OPERATOR = Actor.operator()
# A Wednesday, 10:40 in Berlin.
NOW = clock.from_datetime(datetime(2027, 4, 14, 8, 40, tzinfo=UTC))
MIDNIGHT = NOW - NOW % DAY
LIMIT = "Load test, spring campaign"


@pytest.fixture
async def made(db: None) -> demo.Demo:
    database.freeze(NOW)
    return await demo.make(OPERATOR)


async def all_keys() -> dict[str, ApiKey]:
    return {key.name: key for key in (await keys.page(await seen(OPERATOR, "acme"), Window(100))).items}


async def total() -> int:
    return (await usage.of_workspace(await seen(OPERATOR, "acme"), NOW - 70 * DAY, NOW + 20 * DAY)).counts.total


async def test_it_has_a_key_of_every_kind(made: demo.Demo) -> None:
    found = list((await all_keys()).values())
    assert {key.environment for key in found} == set(catalogue.current().environments)
    assert Counter(key.status(NOW) for key in found) == {Status.ACTIVE: 7, Status.SUSPENDED: 1, Status.REVOKED: 1}
    every = {name: environment.rotate_every_days for name, environment in catalogue.current().environments.items()}
    due = Counter(key.rotation_due(every[key.environment], NOW) for key in found)
    assert due[RotationDue.OVERDUE] == due[RotationDue.DUE_SOON] == 1
    assert [key.name for key in found if key.expires_at and NOW < key.expires_at < NOW + 4 * DAY] == [LIMIT]
    assert [key.name for key in found if key.last_used_at is None] == ["Monthly reports"]
    (revoked,) = [key.revocation for key in found if key.revocation]
    assert (revoked.reason, revoked.by.name) == (Reason.COMMITTED_TO_REPOSITORY, "Ada Lovelace")
    assert revoked.note


async def test_its_keys_are_within_its_plan_with_room_for_another(made: demo.Demo) -> None:
    meter = await plans.meter(await seen(OPERATOR, made.workspace.slug))
    assert (meter.plan.name, meter.used, meter.has_room) == ("scale", 8, True)


async def test_one_rotation_is_in_its_third_step_with_one_caller_left(made: demo.Demo) -> None:
    (run,) = await rotations.open_rotations(await seen(OPERATOR, made.workspace.slug))
    assert (run.predecessor.name, run.state) == ("Shop checkout", State.DRAINING)
    callers = {each.caller.user_agent: each.moved for each in run.callers}
    assert callers == {"shop-checkout": True, "order-mailer": True, "nightly-cron": False}
    assert run.successor.last_used_at is not None and run.predecessor.last_used_at is not None


async def test_requests_fill_sixty_days_more_on_working_days_and_by_day_and_some_fail(made: demo.Demo) -> None:
    found = await usage.of_workspace(await seen(OPERATOR, "acme"), MIDNIGHT - DAYS * DAY, NOW)
    days = {point.at: point.counts.total for point in found.series}
    assert min(days.values()) > 0
    weekend = [count for at, count in days.items() if clock.to_datetime(at).weekday() >= 5]
    working = [count for at, count in days.items() if clock.to_datetime(at).weekday() < 5 and at < MIDNIGHT]
    assert max(weekend) < min(working)
    hours = (await usage.of_workspace(await seen(OPERATOR, "acme"), MIDNIGHT - DAY, MIDNIGHT, Granularity.HOUR)).series
    assert hours[11].counts.total > 3 * hours[1].counts.total > 0
    assert 0.005 < found.counts.failed / found.counts.total < 0.1
    outcomes = dict(found.by_outcome)
    assert {"SUCCEEDED", "FAILED", "PERMISSION_DENIED", "REVOKED", "SUSPENDED"} == set(outcomes)


async def test_active_keys_were_used_minutes_ago_and_the_others_not_after_their_end(made: demo.Demo) -> None:
    for key in (await all_keys()).values():
        end = key.revocation.at if key.revocation else key.suspended_at
        if end is not None:
            assert key.last_used_at is not None
            assert end - DAY < key.last_used_at <= end
        elif key.last_used_at is not None:
            assert NOW - 10 * MINUTE < key.last_used_at < NOW


async def test_the_requests_of_a_keys_callers_are_those_that_the_key_counts(made: demo.Demo) -> None:
    access = await seen(OPERATOR, "acme")
    for key in (await keys.page(access, Window(100))).items:
        counted = dict((await usage.of_key(access, key, NOW - 70 * DAY, NOW + HOUR)).by_outcome)
        callers = await caller_service.of_key(access, key)
        assert sum(caller.requests for caller in callers) == sum(counted.get(outcome, 0) for outcome in USES), key.name


async def test_nothing_is_counted_before_a_key_was_created_or_after_now(made: demo.Demo) -> None:
    for key in (await all_keys()).values():
        before = clock.hour_of(key.created_at)
        if before > NOW - DAYS * DAY:
            assert (await usage.of_key(*await at(OPERATOR, key.id), before - 30 * DAY, before, Granularity.HOUR)).counts.total == 0
        assert (
            await usage.of_key(*await at(OPERATOR, key.id), clock.hour_of(NOW) + HOUR, NOW + DAY, Granularity.HOUR)
        ).counts.total == 0


async def test_its_history_is_in_the_audit_log_in_order_and_its_chain_is_sound(made: demo.Demo) -> None:
    assert set((await audit.checked(OPERATOR)).values()) == {None}
    entries = await audit_store.oldest(made.workspace.id, limit=100)
    assert [entry.at for entry in entries] == sorted(entry.at for entry in entries)
    assert Counter(entry.action for entry in entries) == {
        "workspace.created": 1, "plan.changed": 1, "workspace.updated": 1, "key.created": 10, "key.revoked": 1, "key.suspended": 1,
            "rotation.started": 1,
    }  # fmt: skip


async def test_its_password_works_and_later_a_link_sets_another(made: demo.Demo) -> None:
    assert made.password is not None
    assert made.link is None
    assert (await sign_in(EMAIL, made.password)).session.user == made.owner
    again = await demo.make(OPERATOR)
    assert again.password is None
    assert await authentication.find_password_reset(token_of(again.link)) == made.owner


async def requests_of(key: ApiKey) -> list[LoggedRequest]:
    return list((await request_log.requests(await seen(OPERATOR, "acme"), key, Window(100))).items)


async def test_its_latest_requests_are_logged_as_its_keys_were_then(made: demo.Demo) -> None:
    found = {key.name: (key, await requests_of(key)) for key in (await all_keys()).values()}
    assert {request.outcome for _, requests in found.values() for request in requests} >= {"VALID", "PERMISSION_DENIED", "REVOKED"}
    for key, requests in found.values():
        assert all(key.created_at <= request.at < NOW for request in requests)
        end = key.revocation.at if key.revocation else key.suspended_at
        assert all(
            end is not None and request.rule.since == end < request.at for request in requests if request.outcome == "REVOKED"
        )
        over = ("REVOKED", "SUSPENDED")
        assert all(end is None or (request.at > end) is (request.outcome in over) for request in requests)
        for request in requests:
            assert (request.permission in key.permissions) is (request.outcome != "PERMISSION_DENIED")


async def test_repeating_it_duplicates_nothing(made: demo.Demo) -> None:
    before, counted = await all_keys(), await total()
    logged = {key.id: await requests_of(key) for key in before.values()}
    again = await demo.make(OPERATOR)
    assert again.workspace == made.workspace
    assert (await all_keys(), await total()) == (before, counted)
    assert {key.id: await requests_of(key) for key in before.values()} == logged


async def test_repeating_it_keeps_changes_made_since(made: demo.Demo) -> None:
    found = await all_keys()
    await keys.update(OPERATOR, found["Staging"].id, {"name": "Staging, new cluster"})
    await keys.resume(OPERATOR, found["Northwind (partner)"].id)
    await demo.make(OPERATOR)
    again = await all_keys()
    assert set(again) == set(found) - {"Staging"} | {"Staging, new cluster"}
    assert again["Northwind (partner)"].suspended_at is None


async def test_repeated_days_later_its_traffic_continues_and_expired_keys_are_refused(made: demo.Demo) -> None:
    key = (await all_keys())[LIMIT]
    counted = await total()
    database.freeze(NOW + 5 * DAY)
    await demo.make(OPERATOR)
    assert (
        await usage.of_workspace(await seen(OPERATOR, "acme"), NOW - 70 * DAY, clock.hour_of(NOW) + HOUR, Granularity.DAY)
    ).counts.total > 0
    assert await total() > counted
    late = await usage.of_key(
        *await at(OPERATOR, key.id), clock.hour_of(key.expires_at or 0) + HOUR, NOW + 5 * DAY, Granularity.HOUR
    )
    assert {outcome for outcome, _ in late.by_outcome} <= {"EXPIRED"}
    assert (await all_keys())["Shop checkout"].last_used_at == pytest.approx(NOW + 5 * DAY, abs=10 * MINUTE)


async def test_after_a_kill_the_next_run_completes_it(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    database.freeze(NOW)
    create, left = keys.create, iter(range(4))

    async def killed(*arguments: Any, **more: Any) -> Any:
        next(left)
        return await create(*arguments, **more)

    with monkeypatch.context() as patch, pytest.raises(RuntimeError):
        patch.setattr(keys, "create", killed)
        await demo.make(OPERATOR)
    half = await all_keys()
    assert len(half) == 4
    await demo.make(OPERATOR)
    found = await all_keys()
    assert set(found) == {part.name for part in SCENARIO}
    assert {name: found[name].id for name in half} == {name: key.id for name, key in half.items()}


async def test_its_traffic_is_deterministic_and_written_in_small_batches(made: demo.Demo) -> None:
    key = (await all_keys())["Shop checkout"]
    (traffic,) = [part.traffic for part in SCENARIO if part.name == key.name]
    assert traffic is not None
    first, second = (list(tallies(traffic, key, catalogue.current().permissions, key.created_at, NOW)) for _ in range(2))
    assert first == second
    assert max(len(tally.hours) for tally in first) < 120
    assert len(first) > 20


async def test_a_workspace_of_somebody_else_is_not_changed(db: None) -> None:
    await make_team("acme")
    with pytest.raises(Conflict):
        await demo.make(OPERATOR)
    assert await user_store.find_by_email(EMAIL) is None
    assert await all_keys() == {}


async def test_only_the_operator_may_run_it(db: None) -> None:
    team = await make_team("rival")
    with pytest.raises(NotAllowed):
        await demo.make(team.owner)
    assert await workspace_store.find_by_slug("acme") is None


@pytest.fixture
def other_catalogue(db: None) -> None:
    """The catalogue of another API: other permissions, and other environments, all of whose keys expire."""
    before = catalogue.current()
    temporary = before.environments["temporary"]
    permissions = {"mail.send": replace(before.permissions["pdf.read"], name="mail.send")}
    environments = {"trial": replace(temporary, name="trial", max_lifetime_days=30)}
    runtime.put(replace(before, permissions=MappingProxyType(permissions), environments=MappingProxyType(environments)))


async def test_it_works_with_a_custom_catalogue(other_catalogue: None) -> None:
    database.freeze(NOW)
    await demo.make(OPERATOR)
    found = await all_keys()
    assert set(found) == {part.name for part in SCENARIO}
    assert {(key.environment, key.permissions) for key in found.values()} == {("trial", ("mail.send",))}
    assert await total() > 0
