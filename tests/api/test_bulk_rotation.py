"""Rotating several keys in one call: one result for each, repeatable after a lost answer."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from app import ids
from app.access.actor import Actor
from app.clock import DAY, rfc3339
from app.keys import service as keys
from app.keys.key import API_KEY_ID, Reason
from app.plans import service as plans
from app.rotations import service as rotations
from app.rotations.several import MOST_AT_ONCE
from tests.api.conftest import program
from tests.conftest import Team, make_key
from tests.support.access import at, seen
from tests.support.callers import use
from tests.support.graphql import Client


async def rotate(client: Client, key_ids: list[str], **given: Any) -> Any:
    return await client.change("rotations/start-all", ids=key_ids, **given)


async def codes(client: Client, secrets: list[str]) -> list[str]:
    return [(await client.change("keys/verify", key=secret))["code"] for secret in secrets]


async def test_each_key_gets_a_successor_or_the_reason_why_not(owner: Client, team: Team, other_team: Team) -> None:
    made = [await make_key(team, name, labels=("team=web",)) for name in ("One", "Two", "Suspended", "Rotating", "Revoked")]
    one, two, suspended, rotating, revoked = [each.key.id for each in made]
    await keys.suspend(team.owner, suspended)
    await rotations.start(team.owner, rotating)
    await keys.revoke(team.owner, revoked, Reason.OTHER)
    foreign = (await make_key(other_team)).key.id
    asked = [one, foreign, suspended, rotating, two, ids.new(API_KEY_ID), revoked, one]
    results = (await rotate(owner, asked))["results"]
    assert [result.get("code", "made") for result in results] == [
        "made", "NOT_FOUND", "CONFLICT", "CONFLICT", "made", "NOT_FOUND", "CONFLICT", "made",
    ]  # fmt: skip
    assert results[0] == results[7] and results[1] == results[5] == {"code": "NOT_FOUND", "message": "There is no such API key."}
    assert [results[at]["rotation"]["predecessor"]["id"] for at in (0, 4)] == [one, two]
    secrets = [made[0].secret or "", made[1].secret or "", results[0]["secret"], results[4]["secret"]]
    assert await codes(owner, secrets) == ["VALID"] * 4 and len(set(secrets)) == 4
    assert (await keys.get(team.owner, results[0]["apiKey"]["id"])).labels == ("team=web",)
    assert await rotations.of_key(*await at(other_team.owner, foreign)) is None


async def test_it_needs_no_free_slot(team: Team) -> None:
    made = [(await make_key(team)).key.id for _ in range(3)]
    await plans.change_plan(Actor.operator(), team.slug, "free")
    results = (await rotate(Client(team.owner), made))["results"]
    assert all(result["secret"] for result in results)
    assert (await plans.meter(await seen(team.owner, team.slug))).used == 3


async def test_a_repeated_request_gives_the_same_rotations_and_more_keys_get_new_ones(owner: Client, team: Team) -> None:
    one, two, three = [(await make_key(team)).key.id for _ in range(3)]
    first = (await rotate(owner, [one, two], idempotencyKey="week 48"))["results"]
    again = (await rotate(owner, [two, one, three], idempotencyKey="week 48"))["results"]
    assert [result["rotation"]["id"] for result in again[:2]] == [first[1]["rotation"]["id"], first[0]["rotation"]["id"]]
    assert [(result["secret"], result["retryAfter"]) for result in again[:2]] == [(None, 30), (None, 30)]
    assert again[2]["secret"] and again[2]["rotation"]["predecessor"]["id"] == three
    for other in ({"quietPeriodSeconds": 7}, {"onDeadline": "REVOKE"}):
        refused = (await rotate(owner, [one, two], idempotencyKey="week 48", **other))["results"]
        assert [result["code"] for result in refused] == ["CONFLICT", "CONFLICT"]
    lost = (await rotate(owner, [one, two], idempotencyKey="week 48", replaceUnused=True))["results"]
    assert await codes(owner, [result["secret"] for result in [*first, *lost]]) == ["REVOKED"] * 2 + ["VALID"] * 2
    single = await owner.change("rotations/start", id=one, idempotencyKey="week 48")
    assert single["code"] == "CONFLICT", "it is another operation"


async def test_what_is_wrong_with_all_of_them_is_said_once(owner: Client, viewer: Client, team: Team) -> None:
    key = (await make_key(team)).key.id
    late = rfc3339(4_000_000_000_000_000 + DAY)
    for given, field, code in (
        ({"ids": []}, "ids", "REQUIRED"),
        ({"ids": [key] * (MOST_AT_ONCE + 1)}, "ids", "TOO_MANY"),
        ({"ids": [key], "deadline": late}, "deadline", "TOO_LATE"),
        ({"ids": [key], "quietPeriodSeconds": -1}, "quietPeriodSeconds", "OUT_OF_RANGE"),
        ({"ids": [key], "idempotencyKey": ""}, "idempotencyKey", "INVALID"),
        ({"ids": [key], "idempotencyKey": "x" * 201}, "idempotencyKey", "INVALID"),
    ):
        refused = await owner.change("rotations/start-all", **given)
        assert [(fault["field"], fault["code"]) for fault in refused["fields"]] == [(field, code)]
    for client in (viewer, await program(team.owner, team.slug, "keys.read")):
        assert (await rotate(client, [key]))["code"] == "NOT_ALLOWED"
    assert await keys.count(await seen(team.owner, team.slug)) == 1
    assert (await rotate(owner, [key], idempotencyKey="x" * 200))["results"][0]["secret"]


async def test_a_create_whose_answer_was_lost_is_repaired(owner: Client, team: Team) -> None:
    asked: dict[str, Any] = {"name": "CI", "environment": "production", "permissions": ["pdf.read"], "idempotencyKey": "one"}
    asked |= {"description": "For CI", "labels": [{"name": "team", "value": "web"}]}
    lost = await owner.change("keys/create", **asked)
    again = await owner.change("keys/create", **asked)
    assert (again["apiKey"]["id"], again["secret"]) == (lost["apiKey"]["id"], None)
    repaired = await owner.change("keys/replace-unused", id=again["apiKey"]["id"])
    assert await codes(owner, [lost["secret"], repaired["secret"]]) == ["REVOKED", "VALID"]
    before, after = [await keys.get(team.owner, made["apiKey"]["id"]) for made in (lost, repaired)]
    assert after.settings == before.settings and after.id != before.id
    repeated = await owner.change("keys/replace-unused", id=again["apiKey"]["id"])
    assert (repeated["apiKey"], repeated["secret"]) == (repaired["apiKey"], None)
    assert (await plans.meter(await seen(team.owner, team.slug))).used == 1
    entries = (await owner.run("audit/list", order="ASC"))["auditEvents"]["nodes"]
    assert [(entry["action"], entry["target"]) for entry in entries] == [
        ("key.created", before.id), ("key.created", after.id), ("key.revoked", before.id),
    ]  # fmt: skip


async def test_only_an_unused_key_is_replaced_and_only_by_those_who_may_create_keys(
    owner: Client, viewer: Client, team: Team, other_team: Team
) -> None:
    made = await make_key(team)
    for client in (viewer, await program(team.owner, team.slug, "keys.read")):
        assert (await client.change("keys/replace-unused", id=made.key.id))["code"] == "NOT_ALLOWED"
    for nowhere in ((await make_key(other_team)).key.id, ids.new(API_KEY_ID)):
        refused = await owner.change("keys/replace-unused", id=nowhere)
        assert refused == {"code": "NOT_FOUND", "message": "There is no such API key."}
    await use(made.key.id)
    assert (await owner.change("keys/replace-unused", id=made.key.id))["code"] == "CONFLICT"
    assert await codes(owner, [made.secret or ""]) == ["VALID"]


@pytest.mark.parametrize("count", [1, MOST_AT_ONCE])
async def test_the_most_keys_that_are_rotated_at_once_are_within_the_limit_of_cost(team: Team, count: int) -> None:
    results = (await rotate(Client(team.owner), [ids.new(API_KEY_ID) for _ in range(count)]))["results"]
    assert [result["code"] for result in results] == ["NOT_FOUND"] * count


async def test_concurrent_repeats_rotate_each_key_once_and_tell_each_secret_once(owner: Client, team: Team) -> None:
    made = [(await make_key(team)).key.id for _ in range(4)]
    answers = await asyncio.gather(*(rotate(owner, made, idempotencyKey="week 48") for _ in range(10)))
    for at_key in range(len(made)):
        results = [answer["results"][at_key] for answer in answers]
        assert len({result["rotation"]["id"] for result in results}) == 1
        (secret,) = [result["secret"] for result in results if result["secret"]]
        assert await codes(owner, [secret]) == ["VALID"]
    assert await keys.count(await seen(team.owner, team.slug)) == 2 * len(made)
