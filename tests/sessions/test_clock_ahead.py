"""A clock that was a year ahead and came back locks nobody out and leaves no session that is valid until then."""

from __future__ import annotations

import pytest

from app import database
from app.authentication import service as authentication
from app.clock import MINUTE, SECOND, YEAR
from app.sessions import service as sessions
from tests.support.users import PASSWORD, REQUEST, make_owner, sign_in

NOW = 1_800_000_000 * SECOND
EMAIL = "ann@example.org"


@pytest.fixture(autouse=True)
async def owner(db: None) -> None:
    database.freeze(NOW)
    await make_owner(EMAIL)


async def test_a_session_dated_in_the_future_is_invalid(db: None) -> None:
    database.freeze(NOW + YEAR)
    token = (await sign_in(EMAIL)).token
    assert await sessions.find(token) is not None
    database.freeze(NOW)
    assert await sessions.find(token) is None
    await authentication.sign_in(REQUEST, EMAIL, PASSWORD)
    database.freeze(NOW + YEAR - MINUTE)
    assert await sessions.find(token) is not None


async def test_housekeeping_deletes_only_sessions_dated_in_the_future(db: None) -> None:
    kept = (await sign_in(EMAIL)).token
    database.freeze(NOW + YEAR)
    await sign_in(EMAIL)
    database.freeze(NOW)
    await sessions.purge_expired()
    assert await sessions.find(kept) is not None
    assert await database.fetch("SELECT 1 AS found FROM session WHERE created_at > {}", NOW + MINUTE) == []
