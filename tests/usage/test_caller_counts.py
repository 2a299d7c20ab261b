"""The callers of a key: counted exactly with every valid request, in a bounded number of rows."""

from __future__ import annotations

import asyncio
import random
import uuid
from typing import Any

import pytest

from app import database
from app.access.actor import Actor, ActorKind, Scope
from app.clock import DAY, HOUR, MINUTE, SECOND, rfc3339
from app.errors import NotAllowed, NotFound
from app.usage import caller_service, caller_store
from app.usage.caller import Caller
from app.usage.caller_service import MOST_KEPT
from app.usage.counters import MOST_CALLERS_A_MINUTE, CallerLimiter
from app.usage.merging import decoded
from app.usage.usage import FAILED, SUCCEEDED, USES
from app.verification.verdict import Code
from tests.conftest import KIND, Team, make_key, make_team
from tests.support.access import at
from tests.support.callers import use
from tests.verification.conftest import NOW, Service, change_key, counters


async def seen(key_id: str) -> list[Caller]:
    return (await caller_store.of_keys([key_id])).get(key_id, [])


def told(found: list[Caller]) -> dict[tuple[str, str], int]:
    return {(caller.network, caller.user_agent): caller.requests for caller in found}


def event(key_id: str, at: int, **more: Any) -> dict[str, Any]:
    return {"keyId": key_id, "at": rfc3339(at), "status": 200} | more


async def test_a_valid_request_is_counted_for_its_network_and_family_with_its_permission(service: Service, team: Team) -> None:
    database.freeze(NOW)
    made = await make_key(team)
    asked = {"ip": "203.0.113.9", "userAgent": "python-requests/2.31"}
    await service.verify(made.secret, **asked, permission="pdf.read")
    database.freeze(NOW + SECOND)
    await service.verify(made.secret, ip="203.0.113.200", userAgent="python-requests/2.32", permission="pdf.generate")
    await service.verify(made.secret, **asked)
    (caller,) = await seen(made.key.id)
    assert (caller.network, caller.user_agent, caller.requests) == ("203.0.113.0/24", "python-requests", 3)
    assert (caller.first_seen_at, caller.last_seen_at) == (NOW, NOW + SECOND)
    assert caller.permissions == ("pdf.generate", "pdf.read")


async def test_requests_without_address_or_agent_are_callers_too(service: Service, team: Team) -> None:
    made = await make_key(team)
    await service.verify(made.secret)
    await service.verify(made.secret, ip="2001:db8:1::7")
    await service.verify(made.secret, userAgent="node/22")
    assert told(await seen(made.key.id)) == {("", ""): 1, ("2001:db8:1::/48", ""): 1, ("", "node"): 1}


async def test_forward_auth_reads_the_agent_that_the_gateway_passes_on(service: Service, team: Team) -> None:
    made = await make_key(team)
    for headers in (
        [("x-forwarded-for", "198.51.100.7"), ("user-agent", "Mozilla/5.0 (X11)")],
        [("x-forwarded-for", "198.51.100.8"), ("user-agent", "Mozilla/6.0")],
    ):
        assert (await service.forward(("x-api-key", made.secret or ""), *headers)).status_code == 204
    assert told(await seen(made.key.id)) == {("198.51.100.0/24", "Mozilla"): 2}


async def test_a_denied_permission_counts_as_a_use_and_an_invalid_key_does_not(service: Service, team: Team) -> None:
    made = await make_key(team, allowed_ips=("203.0.113.0/24",))
    assert await service.code(made.secret, ip="203.0.113.9", permission="pdf.delete") == "PERMISSION_DENIED"
    assert await service.code(made.secret, ip="198.51.100.1") == "IP_NOT_ALLOWED"
    assert await service.code(made.secret, ip="203.0.113.9", environment="staging") == "ENVIRONMENT_NOT_ALLOWED"
    await change_key(made.key.id, revoked_at=NOW)
    assert await service.code(made.secret, ip="203.0.113.9") == "REVOKED"
    assert told(await seen(made.key.id)) == {("203.0.113.0/24", ""): 1}
    await change_key(made.key.id, revoked_at=None)


async def test_with_an_outcome_to_follow_the_report_adds_the_number_and_only_the_report(service: Service, team: Team) -> None:
    database.freeze(NOW)
    made = await make_key(team)
    who = {"ip": "203.0.113.9", "userAgent": "node/22"}
    await service.verify(made.secret, **who, outcomeFollows=True)
    (caller,) = await seen(made.key.id)
    assert (caller.requests, caller.last_seen_at) == (0, NOW)
    await service.report(str(uuid.uuid4()), event(made.key.id, NOW - HOUR, **who), event(made.key.id, NOW, **who, status=500))
    (caller,) = await seen(made.key.id)
    assert (caller.requests, caller.first_seen_at, caller.last_seen_at) == (2, NOW - HOUR, NOW)


async def test_a_report_from_a_clock_that_is_ahead_creates_no_use_in_the_future(service: Service, team: Team) -> None:
    database.freeze(NOW)
    made = await make_key(team)
    await service.report(str(uuid.uuid4()), event(made.key.id, NOW + 2 * MINUTE, ip="203.0.113.9"))
    assert [caller.last_seen_at for caller in await seen(made.key.id)] == [NOW]
    batch = str(uuid.uuid4())
    for _ in range(2):
        await service.report(batch, event(made.key.id, NOW - DAY, ip="203.0.113.9"))
    (caller,) = await seen(made.key.id)
    assert (caller.requests, caller.first_seen_at, caller.last_seen_at) == (2, NOW - DAY, NOW)


async def test_concurrent_requests_are_counted_exactly_and_never_deadlock(service: Service, team: Team) -> None:
    made = [await make_key(team) for _ in range(4)]
    chance = random.Random(7)

    async def one(number: int) -> None:
        key = made[chance.randrange(4)]
        who = {"ip": f"203.0.{chance.randrange(9)}.1", "userAgent": chance.choice(["curl/8", "node/22", "java"])}
        if number % 3 == 2:
            await service.report(str(uuid.uuid4()), *(event(other.key.id, NOW, **who) for other in made))
            return
        await service.verify(key.secret, **who, permission=chance.choice(["pdf.read", None]), outcomeFollows=number % 3 == 1)

    database.freeze(NOW)
    for wave in range(0, 120, 12):
        await asyncio.gather(*(one(number) for number in range(wave, wave + 12)))
    every = [caller for key in made for caller in await seen(key.key.id)]
    assert sum(caller.requests for caller in every) == sum((await counters()).values()) == 40 + 40 * 4


@pytest.mark.skipif(KIND != "postgres", reason="SQLite has one writer")
async def test_every_writer_locks_the_tables_in_the_same_order(service: Service, team: Team) -> None:
    made = await make_key(team)
    tables = ("usage_hour", "key_last_used", "caller")
    async with database.transaction():
        await database.fetch("CREATE TABLE taken (number serial, name text)")
        await database.fetch(
            "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO taken (name) VALUES (TG_TABLE_NAME);"
            " RETURN NEW; END $$"
        )
        for table in tables:
            await database.fetch(f"CREATE TRIGGER note BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION note()")
    try:
        await service.verify(made.secret)
        await database.settle()
        await service.verify(made.secret, outcomeFollows=True)
        await database.settle()
        await service.report(str(uuid.uuid4()), event(made.key.id, await database.now()))
        await database.settle()
        taken = [row["name"] for row in await database.fetch("SELECT name FROM taken ORDER BY number")]
        assert taken == [*tables, *tables[1:], *tables]
    finally:
        async with database.transaction():
            for table in tables:
                await database.fetch(f"DROP TRIGGER note ON {table}")
            await database.fetch("DROP FUNCTION note")
            await database.fetch("DROP TABLE taken")


async def test_a_caller_with_ever_new_addresses_does_not_fill_the_table(service: Service, team: Team) -> None:
    database.freeze(NOW)
    made, other = await make_key(team), await make_key(team)
    many = MOST_CALLERS_A_MINUTE + 50
    await asyncio.gather(*(service.verify(made.secret, ip=f"10.{number // 250}.{number % 250}.1") for number in range(many)))
    await service.verify(other.secret, ip="203.0.113.9")
    found = await seen(made.key.id)
    assert len(found) == MOST_CALLERS_A_MINUTE + 1
    assert sum(caller.requests for caller in found) == many
    assert [caller.requests for caller in found if caller.folded] == [50]
    assert told(await seen(other.key.id)) == {("203.0.113.0/24", ""): 1}


async def test_refused_requests_keep_their_network_and_take_no_place_of_a_caller(service: Service, team: Team) -> None:
    database.freeze(NOW)
    made = await make_key(team, allowed_ips=("203.0.113.0/24",))
    addresses = [f"10.{number // 250}.{number % 250}.1" for number in range(MOST_CALLERS_A_MINUTE + 5)]
    await asyncio.gather(*(service.verify(made.secret, ip=address, userAgent="curl/8") for address in addresses))
    rows = await database.fetch("SELECT uses FROM usage_log")
    refused = [use for row in rows for use in decoded(row["uses"])]
    assert {(use.outcome, use.user_agent) for use in refused} == {("IP_NOT_ALLOWED", "curl"), ("IP_NOT_ALLOWED", "*")}
    assert len({use.network for use in refused}) == MOST_CALLERS_A_MINUTE + 1
    assert [use.first_at for use in refused] == [NOW] * len(addresses)
    await service.verify(made.secret, ip="203.0.113.9")
    assert told(await seen(made.key.id)) == {("203.0.113.0/24", ""): 1}


def test_only_refusals_for_the_state_of_a_key_are_no_use_of_it() -> None:
    assert {code for code in Code if code in USES} == {Code.VALID, Code.PERMISSION_DENIED}
    assert USES - set(Code) == {SUCCEEDED, FAILED}


def test_the_limit_of_new_callers_ignores_known_ones_and_resets_every_minute() -> None:
    door = CallerLimiter()
    start = NOW // MINUTE * MINUTE
    inside = [door.bucket("key", start, f"10.0.{number}.1", "curl/8") for number in range(MOST_CALLERS_A_MINUTE)]
    assert len(set(inside)) == MOST_CALLERS_A_MINUTE
    assert door.bucket("key", start, "203.0.113.9", "curl/8") == ("*", "*")
    assert door.bucket("key", start, "10.0.7.200", "curl/9") == ("10.0.7.0/24", "curl")
    assert door.bucket("other", start, "203.0.113.9", "curl/8") == ("203.0.113.0/24", "curl")
    assert door.bucket("key", start + MINUTE - 1, "203.0.113.9", "curl/8") == ("*", "*")
    assert door.bucket("key", start + MINUTE, "203.0.113.9", "curl/8") == ("203.0.113.0/24", "curl")


async def test_the_oldest_silent_callers_are_folded_without_losing_counts(team: Team) -> None:
    key, calm = (await make_key(team)).key, (await make_key(team)).key
    more = 120
    for number in range(MOST_KEPT + more):
        await use(key.id, f"10.{number // 250}.{number % 250}.1", at=NOW + number, permission=("pdf.read", None)[number % 2])
    await use(key.id, None, None, at=NOW - 5)
    await use(calm.id, at=NOW)
    before = await seen(key.id)
    assert await caller_service.fold_old(NOW) == more + 1
    after = await seen(key.id)
    assert [caller for caller in after if not caller.folded] == before[:MOST_KEPT]
    (crowd,) = [caller for caller in after if caller.folded]
    gone = before[MOST_KEPT:]
    assert (crowd.requests, crowd.permissions) == (more + 1, ("pdf.read",))
    assert (crowd.first_seen_at, crowd.last_seen_at) == (gone[-1].first_seen_at, gone[0].last_seen_at)
    assert await caller_service.fold_old(NOW) == 0
    assert await seen(key.id) == after
    await use(key.id, "192.0.2.1", at=NOW + DAY)
    assert await caller_service.fold_old(NOW) == 1
    assert sum(caller.requests for caller in await seen(key.id)) == MOST_KEPT + more + 2
    assert told(await seen(calm.id)) == {("203.0.113.0/24", "curl"): 1}


async def test_folding_during_verification_loses_and_duplicates_nothing(service: Service, team: Team) -> None:
    made = await make_key(team)
    for number in range(MOST_KEPT + 60):
        await use(made.key.id, f"10.{number // 250}.{number % 250}.1", None, at=NOW + number)
    database.freeze(NOW + HOUR)

    async def verify(number: int) -> None:
        await service.verify(made.secret, ip=f"10.0.{number % 80}.1")

    async def fold() -> None:
        for _ in range(5):
            await caller_service.fold_old(NOW + HOUR)

    await asyncio.gather(fold(), *(verify(number) for number in range(240)))
    await fold()
    found = await seen(made.key.id)
    assert sum(caller.requests for caller in found) == MOST_KEPT + 60 + 240
    assert len([caller for caller in found if not caller.folded]) <= MOST_KEPT
    assert all(caller.first_seen_at <= caller.last_seen_at and caller.requests for caller in found)


async def test_a_caller_seen_again_during_folding_stays(team: Team) -> None:
    key = (await make_key(team)).key
    await use(key.id, at=NOW)
    (before,) = await seen(key.id)
    await use(key.id, at=NOW + 1)
    async with database.transaction():
        await caller_store.fold(key.id, [before])
    assert told(await seen(key.id)) == {("203.0.113.0/24", "curl"): 2}


async def test_callers_are_visible_with_the_right_to_read_usage_and_found_by_id(team: Team, other_team: Team) -> None:
    key = (await make_key(team)).key
    await use(key.id, at=NOW)
    await use(key.id, "198.51.100.1", at=NOW + 1)
    found = await caller_service.of_key(*await at(team.viewer, key.id))
    assert [caller.network for caller in found] == ["198.51.100.0/24", "203.0.113.0/24"]
    assert await caller_service.get(team.viewer, found[0].id) == found[0]
    said = set()
    for actor, caller_id in (
        (other_team.owner, found[0].id),
        (team.owner, "cal_" + "a" * 20),
        (team.owner, key.id),
        (team.owner, ""),
    ):
        with pytest.raises(NotFound) as refused:
            await caller_service.get(actor, caller_id)
        said.add(refused.value.message)
    assert said == {"There is no such caller."}
    with pytest.raises(NotFound):
        await caller_service.of_key(*await at(other_team.owner, key.id))


async def test_a_management_key_without_the_scope_sees_no_callers(db: None) -> None:
    team = await make_team()
    key = (await make_key(team)).key
    await use(key.id)
    narrow = Actor(
        ActorKind.MANAGEMENT_KEY,
        "mgk",
        "CI",
        user_id=team.owner.user_id,
        workspace_id=team.workspace.id,
        scopes=frozenset({Scope.KEYS_READ}),
    )
    with pytest.raises(NotAllowed):
        await caller_service.of_key(*await at(narrow, key.id))
