"""How long an idempotency key is valid, even if the clock was wrong."""

from __future__ import annotations

import pytest

from app import database
from app.clock import HOUR, MINUTE, SECOND, YEAR
from app.errors import Conflict
from app.keys import service as keys
from app.keys.key import KeySettings
from tests.conftest import Team

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
