"""A clock that was a year ahead and came back locks nobody out and leaves nothing that lives until then."""

from __future__ import annotations

import pytest

from app import database
from app.accounts import service as accounts
from app.accounts import sessions, store, throttle
from app.clock import MINUTE, SECOND, YEAR
from app.errors import Problem
from tests.support.people import PASSWORD, REQUEST, make_owner, sign_in

NOW = 1_800_000_000 * SECOND
EMAIL = "ann@example.org"


@pytest.fixture(autouse=True)
async def owner(db: None) -> None:
    database.freeze(NOW)
    await make_owner(EMAIL)


async def test_a_window_that_was_filled_then_refuses_nobody_now(db: None) -> None:
    buckets = throttle.of_confirmation("usr_x")
    database.freeze(NOW + YEAR)
    for _ in range(10):
        await throttle.take(buckets)
    with pytest.raises(Problem):
        await throttle.take(buckets)
    database.freeze(NOW)
    for _ in range(10):
        await throttle.take(buckets)
    with pytest.raises(Problem):
        await throttle.take(buckets)


async def test_a_session_begun_then_does_not_live_now(db: None) -> None:
    database.freeze(NOW + YEAR)
    token = (await sign_in(EMAIL)).token
    assert await sessions.session_of(token) is not None
    database.freeze(NOW)
    assert await sessions.session_of(token) is None
    await accounts.sign_in(REQUEST, EMAIL, PASSWORD)
    database.freeze(NOW + YEAR - MINUTE)
    assert await sessions.session_of(token) is not None


async def test_housekeeping_forgets_what_is_of_then_and_nothing_else(db: None) -> None:
    kept = (await sign_in(EMAIL)).token
    database.freeze(NOW + YEAR)
    await sign_in(EMAIL)
    await throttle.take(throttle.of_confirmation("usr_x"))
    database.freeze(NOW)
    await accounts.forget_old()
    assert await sessions.session_of(kept) is not None
    for table, column in (("session", "created_at"), ("throttle", "window_start"), ("link", "created_at")):
        assert await database.fetch(f"SELECT 1 AS found FROM {table} WHERE {column} > {{}}", NOW + MINUTE) == []
    assert await store.is_known("nobody", 0, NOW) is False
