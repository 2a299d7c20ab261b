"""Usage over GraphQL: exact, in one statement for a page of keys, and bounded by its cost."""

from __future__ import annotations

from typing import Any

from app import database
from app.clock import DAY, HOUR, rfc3339
from app.rotations import service as rotations
from app.usage import folding, store
from app.usage.counters import CounterBatch
from tests.conftest import Team, make_key
from tests.support.callers import use
from tests.support.graphql import Client, operation


async def count(key_id: str, at: int, permission: str | None, outcome: str, times: int = 1) -> None:
    tally = CounterBatch()
    for _ in range(times):
        tally.count(key_id, at, permission, outcome)
    async with database.transaction():
        await store.add(tally)


async def test_usage_is_returned_in_total_by_day_by_permission_and_by_outcome(owner: Client, team: Team) -> None:
    now = await database.now()
    key = (await make_key(team)).key.id
    await count(key, now, "pdf.read", "VALID", 3)
    await count(key, now - DAY, "pdf.read", "VALID", 2)
    await count(key, now - DAY, "pdf.delete", "PERMISSION_DENIED")
    await count(key, now - DAY, None, "FAILED")
    await count(key, now - 40 * DAY, "pdf.generate", "VALID", 50)
    found = await owner.run("keys/usage", id=key)
    usage = found["usage"]
    assert [usage[f"{kind}Requests"] for kind in ("total", "successful", "failed")] == [7, 5, 2]
    assert sum(point["total"] for point in usage["series"]) == 7 and len(usage["series"]) == 30
    assert [(point["total"], point["successful"], point["failed"]) for point in usage["series"][-2:]] == [(4, 2, 2), (3, 3, 0)]
    assert usage["series"][-1]["at"] == rfc3339(now - now % DAY)
    assert {item["permission"]: item["total"] for item in usage["byPermission"]} == {None: 1, "pdf.read": 5, "pdf.delete": 1}
    assert {item["outcome"]: item["total"] for item in usage["byOutcome"]} == {"VALID": 5, "PERMISSION_DENIED": 1, "FAILED": 1}
    assert found["unusedPermissions"] == [{"name": "pdf.generate"}]
    longer = await owner.run("keys/usage", id=key, days=60, since=rfc3339(now - 60 * DAY))
    assert (longer["usage"]["totalRequests"], longer["unusedPermissions"]) == (57, [])


async def test_usage_can_be_read_by_the_hour_and_between_two_times(owner: Client, team: Team) -> None:
    start = (await database.now()) // DAY * DAY - 2 * DAY
    key = (await make_key(team)).key.id
    for hour in range(6):
        await count(key, start + hour * HOUR, None, "VALID", hour)
    span = {"since": rfc3339(start + 2 * HOUR), "until": rfc3339(start + 5 * HOUR), "granularity": "HOUR"}
    usage = (await owner.run("keys/usage", id=key, **span))["usage"]
    assert [point["total"] for point in usage["series"]] == [2, 3, 4] and usage["totalRequests"] == 9


async def test_a_workspaces_usage_is_that_of_all_its_keys_and_of_no_others(owner: Client, team: Team, other_team: Team) -> None:
    now = await database.now()
    keys = [(await make_key(team, name)).key.id for name in ("one", "two")]
    foreign = (await make_key(other_team)).key.id
    assert (await owner.run("workspaces/usage"))["usage"]["lastUsedAt"] is None
    for key in (*keys, foreign):
        await count(key, now, "pdf.read", "VALID", 3)
        await use(key, at=now)
    await count(keys[0], now - DAY, None, "REVOKED")
    usage = (await owner.run("workspaces/usage"))["usage"]
    assert [usage[f"{kind}Requests"] for kind in ("total", "successful", "failed")] == [9, 8, 1]
    assert [point["total"] for point in usage["series"][-2:]] == [1, 8] and len(usage["series"]) == 30
    assert usage["lastUsedAt"] == rfc3339(now)
    hour = now // HOUR * HOUR
    one = await owner.run("workspaces/usage", since=rfc3339(hour), until=rfc3339(hour + HOUR), granularity="HOUR")
    assert [point["total"] for point in one["usage"]["series"]] == [8]
    assert "1000 steps" in (await owner.refused(operation("workspaces/usage"), since=rfc3339(now - 1100 * DAY)))[0]["message"]


async def test_all_requests_ever_are_counted_for_a_key_and_for_its_whole_lineage(owner: Client, team: Team) -> None:
    now = await database.now()
    run = (await rotations.start(team.owner, (await make_key(team)).key.id)).progress
    old, new, other = run.predecessor.id, run.successor.id, (await make_key(team)).key.id
    await use(old, at=now - 900 * DAY)
    await count(old, now - 2_000 * DAY, "pdf.read", "VALID", 3)
    await count(old, now, None, "EXPIRED", 2)
    await use(new, at=now - DAY)
    await use(other, at=now)
    totals = await owner.run("keys/totals", id=old)
    assert totals["allTimeUsage"] == {
        "totalRequests": 6,
        "successfulRequests": 4,
        "failedRequests": 2,
        "successRate": 4 / 6,
        "firstUsedAt": rfc3339(now - 900 * DAY),
        "lastUsedAt": rfc3339(now - 900 * DAY),
    }
    line = {**totals["allTimeUsage"], "keys": 2, "totalRequests": 7, "successfulRequests": 5, "successRate": 5 / 7}
    assert totals["lineageUsage"] == line | {"lastUsedAt": rfc3339(now - DAY)}
    assert (await owner.run("keys/totals", id=new))["lineageUsage"] == totals["lineageUsage"]
    unused = await owner.run("keys/totals", id=(await make_key(team)).key.id)
    assert (unused["allTimeUsage"]["successRate"], unused["allTimeUsage"]["firstUsedAt"], unused["lineageUsage"]["keys"]) == (
        None,
        None,
        1,
    )


async def test_usage_has_a_success_rate_and_the_callers_seen_in_the_span(owner: Client, team: Team, other_team: Team) -> None:
    now = await database.now()
    keys = [(await make_key(team)).key.id for _ in range(2)]
    await use(keys[0], "203.0.113.9", "curl/8", at=now - 40 * DAY)
    for key in keys:
        await use(key, "198.51.100.7", "python-requests/2", at=now, permission="pdf.read")
        await use(key, None, None, at=now)
    await use((await make_key(other_team)).key.id, "192.0.2.1", "other", at=now)
    await count(keys[0], now, None, "EXPIRED", 6)
    found = (await owner.run("keys/usage", id=keys[0]))["usage"]
    assert found["successRate"] == 0.25
    assert [(each["network"], each["userAgent"], each["total"]) for each in found["byCaller"]] == [
        (None, None, 1), ("198.51.100.0/24", "python-requests", 1)
    ]  # fmt: skip
    longer = (await owner.run("keys/usage", id=keys[0], since=rfc3339(now - 60 * DAY)))["usage"]["byCaller"]
    assert len(longer) == 3 and not any(each["folded"] for each in longer)
    together = (await owner.run("workspaces/usage"))["usage"]
    assert together["successRate"] == 0.4
    assert [(each["network"], each["total"], each["lastSeenAt"]) for each in together["byCaller"]] == [
        (None, 2, rfc3339(now)), ("198.51.100.0/24", 2, rfc3339(now))
    ]  # fmt: skip
    assert len((await owner.run("workspaces/usage", since=rfc3339(now - 50 * DAY)))["usage"]["byCaller"]) == 3


async def test_hours_that_are_no_longer_kept_are_refused_with_a_message(owner: Client, team: Team) -> None:
    now = await database.now()
    key = (await make_key(team)).key.id
    span = {"since": rfc3339(now - 92 * DAY), "until": rfc3339(now - 91 * DAY)}
    assert (await owner.run("keys/usage", id=key, **span))["usage"]["totalRequests"] == 0
    for name, named in (("keys/usage", {"id": key}), ("workspaces/usage", {})):
        (error,) = await owner.refused(operation(name), **named, **span, granularity="HOUR")
        assert "kept for 90 days" in error["message"] and "days" in error["message"]


async def test_a_year_of_a_workspace_by_days_with_every_part_is_within_the_cost(owner: Client, team: Team) -> None:
    now = await database.now()
    key = (await make_key(team)).key.id
    for days in (0, 40, 364):
        await count(key, now - days * DAY, "pdf.read", "VALID")
    await folding.close_days(now)
    usage = (await owner.run("workspaces/usage", since=rfc3339(now - 364 * DAY)))["usage"]
    assert usage["totalRequests"] == 3 and len(usage["series"]) == 365
    assert [point["total"] for point in usage["series"] if point["total"]] == [1, 1, 1]


async def test_counts_beyond_32_bits_are_json_numbers(owner: Client, team: Team) -> None:
    key = (await make_key(team)).key.id
    async with database.transaction():
        await database.fetch(
            "INSERT INTO usage_hour (key, hour, permission, outcome, requests) VALUES ({}, {}, '', 'VALID', {})",
            key,
            (await database.now()) // HOUR * HOUR,
            2**40,
        )
    assert (await owner.run("keys/usage", id=key))["usage"]["totalRequests"] == 2**40


async def test_an_invalid_span_is_refused_with_a_message(owner: Client, team: Team) -> None:
    key = (await make_key(team)).key.id
    query = "query($id:ID!,$s:DateTime,$u:DateTime){node(id:$id){...on ApiKey{usage(since:$s,until:$u){totalRequests}}}}"
    now = await database.now()

    async def refusal(**span: Any) -> str:
        (error,) = await owner.refused(query, id=key, **span)
        return error["message"]

    assert "after" in await refusal(s=rfc3339(now), u=rfc3339(now - 3 * DAY))
    assert "1000 steps" in await refusal(s=rfc3339(now - 1100 * DAY))
    for naive in ("2026-01-01", "2026-01-01T00:00:00", "2026-01-01 00:00:00Z", "2026-13-01T00:00:00Z", "yesterday", "", 5):
        assert "RFC 3339" in await refusal(s=naive)
    days = "query($id:ID!,$d:Int!){node(id:$id){...on ApiKey{unusedPermissions(days:$d){name}}}}"
    for wrong in (0, -1, 367):
        assert (await owner.refused(days, id=key, d=wrong))[0]["message"] == "`days` is a number from 1 to 366."


async def test_a_long_series_of_many_keys_is_too_expensive(owner: Client) -> None:
    query = "query($n:Int!,$s:DateTime){workspace{apiKeys(first:$n){nodes{usage(since:$s){series{at total}}}}}}"
    long_ago = rfc3339(await database.now() - 900 * DAY)
    assert await owner.ask(query, n=100)
    assert await owner.ask(query, n=4, s=long_ago)
    assert "Fields to resolve" in (await owner.refused(query, n=100, s=long_ago))[0]["message"]
