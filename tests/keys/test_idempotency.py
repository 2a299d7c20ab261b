"""Idempotency keys: how long they are valid, even if the clock was wrong, and under concurrency."""

from __future__ import annotations

import asyncio

import pytest

from app import database
from app.clock import HOUR, MINUTE, SECOND, YEAR
from app.errors import Conflict
from app.keys import service as keys
from app.keys.key import KeySettings
from tests.conftest import Team
from tests.support.access import seen

NOW = 1_800_000_000 * SECOND


async def _make(team: Team, name: str) -> keys.Created:
    asked = KeySettings(name=name, environment="production", permissions=("pdf.read",))
    return await keys.create(team.owner, team.slug, asked, idempotency_key="weekly")


@pytest.mark.parametrize("ahead", [0, YEAR], ids=["a right clock", "a clock that is a year ahead"])
async def test_an_idempotency_key_is_valid_for_a_day_even_after_a_wrong_clock(team: Team, ahead: int) -> None:
    database.freeze(NOW + ahead)
    first = await _make(team, "One")
    database.freeze(NOW + MINUTE)
    await keys.forget_old_repeats()
    again = await _make(team, "One")
    assert (again.key.id, again.secret) == (first.key.id, None)
    database.freeze(NOW + 23 * HOUR)
    await keys.forget_old_repeats()
    with pytest.raises(Conflict):
        await _make(team, "Two")
    database.freeze(NOW + 25 * HOUR)
    await keys.forget_old_repeats()
    assert (await _make(team, "Two")).secret is not None


async def test_fifty_concurrent_requests_create_one_key_and_show_its_secret_once(team: Team) -> None:
    made = await asyncio.gather(*(_make(team, "One") for _ in range(50)))
    assert len({each.key.id for each in made}) == 1 and len([each for each in made if each.secret]) == 1
    assert await keys.count(await seen(team.owner, team.slug)) == 1


async def test_of_concurrent_requests_with_different_input_one_wins_and_the_others_conflict(team: Team) -> None:
    results = await asyncio.gather(*(_make(team, f"Key {number % 5}") for number in range(50)), return_exceptions=True)
    made = [each for each in results if isinstance(each, keys.Created)]
    assert len(made) == 10 and len({each.key.id for each in made}) == 1
    assert all(isinstance(each, Conflict) for each in results if each not in made)
    assert await keys.count(await seen(team.owner, team.slug)) == 1
