"""Sessions: opaque, stored as digests, ended by the server's own clock and by their owners."""

from __future__ import annotations

import hashlib
import re

import pytest

from app import database, ids
from app.access.actor import Actor
from app.audit import service as audit
from app.audit import store as audit_store
from app.authentication import service as authentication
from app.clock import MINUTE
from app.errors import NotAuthenticated, NotFound
from app.peppers import service as peppers
from app.sessions import service as sessions
from app.sessions.session import ABSOLUTE_TIMEOUT, IDLE_TIMEOUT, MOST_OF_USER, SESSION_ID, csrf_token
from app.tenancy.service import SYSTEM_CHAIN
from app.users.user import USER_ID
from tests.support.users import PASSWORD, REQUEST, make_owner, request_from, sign_in


async def test_the_database_contains_no_valid_token(db: None) -> None:
    await make_owner()
    token = (await sign_in()).token
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", token)
    tables = ("session", "link", "throttle", "account", "audit_entry")
    stored = str([await database.fetch(f"SELECT * FROM {table}") for table in tables])
    assert token not in stored and token[:12] not in stored
    (row,) = await database.fetch("SELECT digest FROM session")
    assert bytes(row["digest"]) == hashlib.sha256(token.encode()).digest()
    assert await sessions.find(bytes(row["digest"]).hex()) is None


@pytest.mark.parametrize("text", ["", "x", "\x00", "\ud800", "a" * 10_000, "ses_aaaaaaaaaaaaaaaaaaaa"])
async def test_no_other_text_is_a_valid_session(db: None, text: str) -> None:
    await make_owner()
    await sign_in()
    assert await sessions.find(text) is None
    await sessions.sign_out(text)
    with pytest.raises(NotAuthenticated):
        await authentication.confirm(text, PASSWORD)


async def test_an_idle_session_ends(db: None) -> None:
    await make_owner()
    token = (await sign_in()).token
    start = (await sessions.own_sessions(await actor_of(token)))[0].seen_at
    database.freeze(start + IDLE_TIMEOUT - 1)
    assert await sessions.find(token)
    database.freeze(start + 2 * IDLE_TIMEOUT - 2)
    assert await sessions.find(token)
    database.freeze(start + 3 * IDLE_TIMEOUT - 2)
    assert await sessions.find(token) is None


async def test_a_session_in_use_ends_after_twelve_hours(db: None) -> None:
    await make_owner()
    now = await database.now()
    database.freeze(now)
    token = (await sign_in()).token
    for instant in range(now, now + ABSOLUTE_TIMEOUT, IDLE_TIMEOUT // 2):
        database.freeze(instant)
        assert await sessions.find(token)
    database.freeze(now + ABSOLUTE_TIMEOUT - 1)
    assert (await authentication.confirm(token, PASSWORD)).session.created_at == now
    database.freeze(now + ABSOLUTE_TIMEOUT)
    assert await database.fetch("SELECT * FROM session") and await sessions.own_sessions(Actor.user("usr_x", "x")) == []
    await sessions.purge_expired()
    assert await database.fetch("SELECT * FROM session") == []


async def test_the_last_use_is_written_at_most_once_a_minute(db: None) -> None:
    await make_owner()
    now = await database.now()
    database.freeze(now)
    token = (await sign_in()).token
    for instant, seen in ((now + MINUTE - 1, now), (now + MINUTE, now + MINUTE), (now + 2 * MINUTE - 1, now + MINUTE)):
        database.freeze(instant)
        found = await sessions.find(token)
        assert found and found.seen_at == seen
        assert (await database.fetch("SELECT seen_at FROM session"))[0]["seen_at"] == seen


async def test_signing_out_ends_the_session_on_the_server_and_no_other(db: None) -> None:
    await make_owner()
    first, second = await sign_in(), await sign_in()
    await sessions.sign_out(first.token)
    await sessions.sign_out(first.token)
    assert await sessions.find(first.token) is None
    assert await sessions.find(second.token)


async def actor_of(token: str) -> Actor:
    session = await sessions.find(token)
    assert session
    return session.actor(REQUEST)


async def test_users_see_and_end_only_their_own_sessions(db: None) -> None:
    await make_owner()
    await make_owner("bob@example.org", "Bob", "Bolts")
    here, there = await sign_in(), await sign_in(request=request_from("198.51.100.7"))
    bobs = await sign_in("bob@example.org")
    ann = await actor_of(here.token)
    listed = await sessions.own_sessions(ann)
    assert {(info.id, info.address, info.user_agent) for info in listed} == {
        (here.session.id, "203.0.113.9", "tests/1.0"),
        (there.session.id, "198.51.100.7", "tests/1.0"),
    }
    await sessions.end(ann, there.session.id)
    assert await sessions.find(there.token) is None
    for foreign in (bobs.session.id, there.session.id, ids.new(SESSION_ID), "x", ids.new(USER_ID)):
        with pytest.raises(NotFound, match="session"):
            await sessions.end(ann, foreign)
    with pytest.raises(NotFound, match="session"):
        await sessions.end(Actor.operator(), here.session.id)
    assert await sessions.find(bobs.token) and await sessions.find(here.token)
    assert await sessions.own_sessions(Actor.operator()) == []


async def test_the_number_of_sessions_of_a_user_is_limited_and_the_least_recently_used_ends(db: None) -> None:
    await make_owner()
    now = await database.now()
    tokens = []
    for number in range(MOST_OF_USER + 1):
        database.freeze(now + number)
        tokens.append((await sign_in()).token)
    assert await sessions.find(tokens[0]) is None
    assert len(await sessions.own_sessions(await actor_of(tokens[1]))) == MOST_OF_USER


async def test_each_beginning_and_end_has_one_entry_in_a_sound_chain(db: None) -> None:
    user, _ = await make_owner()
    one, other = await sign_in(), await sign_in()
    confirmed = await authentication.confirm(one.token, PASSWORD)
    await sessions.end(await actor_of(confirmed.token), other.session.id)
    await sessions.sign_out(confirmed.token)
    await sessions.sign_out(confirmed.token)
    entries = (await audit_store.newest(SYSTEM_CHAIN, limit=20))[::-1]
    kinds = ["account.created", "session.started", "session.started", "session.confirmed", "session.ended", "session.ended"]
    assert [entry.action for entry in entries] == kinds
    assert {entry.target for entry in entries} == {user.id} and entries[1].request.address == "203.0.113.9"
    assert await audit.first_broken(SYSTEM_CHAIN) is None


async def test_a_forms_token_belongs_to_one_session(db: None) -> None:
    await make_owner()
    one, other, pepper = await sign_in(), await sign_in(), peppers.current().current
    renewed = await authentication.confirm(one.token, PASSWORD)
    tokens = {csrf_token(each.token, pepper) for each in (one, other, renewed)}
    assert len(tokens) == 3 and all(re.fullmatch("[0-9a-f]{64}", token) for token in tokens)
    assert csrf_token(one.token, pepper) == csrf_token(one.token, pepper)
