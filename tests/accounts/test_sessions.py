"""Sessions: opaque, stored as digests, ended by the server's own clock and by their owners."""

from __future__ import annotations

import hashlib
import re

import pytest

from app import database, ids
from app.access.actor import Actor
from app.accounts import service as accounts
from app.accounts.session import ABSOLUTE, IDLE, MOST_LIVING, csrf_token
from app.audit import service as audit
from app.audit import store as audit_store
from app.clock import MINUTE
from app.errors import NotAuthenticated, NotFound
from app.tenancy.service import SYSTEM_CHAIN
from tests.support.people import PASSWORD, REQUEST, coming_from, make_owner, sign_in


async def test_the_database_holds_no_token_that_opens_anything(db: None) -> None:
    await make_owner()
    token = (await sign_in()).token
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", token)
    tables = ("session", "link", "throttle", "account", "audit_entry")
    stored = str([await database.fetch(f"SELECT * FROM {table}") for table in tables])
    assert token not in stored and token[:12] not in stored
    (row,) = await database.fetch("SELECT digest FROM session")
    assert bytes(row["digest"]) == hashlib.sha256(token.encode()).digest()
    assert await accounts.session_of(bytes(row["digest"]).hex()) is None


@pytest.mark.parametrize("text", ["", "x", "\x00", "\ud800", "a" * 10_000, "ses_aaaaaaaaaaaaaaaaaaaa"])
async def test_no_other_text_is_a_session(db: None, text: str) -> None:
    await make_owner()
    await sign_in()
    assert await accounts.session_of(text) is None
    await accounts.sign_out(text)
    with pytest.raises(NotAuthenticated):
        await accounts.confirm(text, PASSWORD)


async def test_a_session_that_is_left_alone_ends(db: None) -> None:
    await make_owner()
    token = (await sign_in()).token
    start = (await accounts.sessions_of(await actor_of(token)))[0].seen_at
    database.freeze(start + IDLE - 1)
    assert await accounts.session_of(token)
    database.freeze(start + 2 * IDLE - 2)
    assert await accounts.session_of(token)
    database.freeze(start + 3 * IDLE - 2)
    assert await accounts.session_of(token) is None


async def test_a_session_in_use_ends_after_twelve_hours(db: None) -> None:
    await make_owner()
    now = await database.now()
    database.freeze(now)
    token = (await sign_in()).token
    for instant in range(now, now + ABSOLUTE, IDLE // 2):
        database.freeze(instant)
        assert await accounts.session_of(token)
    database.freeze(now + ABSOLUTE - 1)
    assert (await accounts.confirm(token, PASSWORD)).session.created_at == now
    database.freeze(now + ABSOLUTE)
    assert await database.fetch("SELECT * FROM session") and await accounts.sessions_of(Actor.user("usr_x", "x")) == []
    await accounts.forget_old()
    assert await database.fetch("SELECT * FROM session") == []


async def test_being_seen_is_written_once_a_minute_at_most(db: None) -> None:
    await make_owner()
    now = await database.now()
    database.freeze(now)
    token = (await sign_in()).token
    for instant, seen in ((now + MINUTE - 1, now), (now + MINUTE, now + MINUTE), (now + 2 * MINUTE - 1, now + MINUTE)):
        database.freeze(instant)
        found = await accounts.session_of(token)
        assert found and found.seen_at == seen
        assert (await database.fetch("SELECT seen_at FROM session"))[0]["seen_at"] == seen


async def test_signing_out_ends_the_session_on_the_server_and_no_other(db: None) -> None:
    await make_owner()
    first, second = await sign_in(), await sign_in()
    await accounts.sign_out(first.token)
    await accounts.sign_out(first.token)
    assert await accounts.session_of(first.token) is None
    assert await accounts.session_of(second.token)


async def actor_of(token: str) -> Actor:
    session = await accounts.session_of(token)
    assert session
    return session.actor(REQUEST)


async def test_people_see_and_end_their_own_sessions_and_nobody_elses(db: None) -> None:
    await make_owner()
    await make_owner("bob@example.org", "Bob", "Bolts")
    here, there = await sign_in(), await sign_in(request=coming_from("198.51.100.7"))
    bobs = await sign_in("bob@example.org")
    ann = await actor_of(here.token)
    listed = await accounts.sessions_of(ann)
    assert {(info.id, info.address, info.user_agent) for info in listed} == {
        (here.session.id, "203.0.113.9", "tests/1.0"),
        (there.session.id, "198.51.100.7", "tests/1.0"),
    }
    await accounts.end_session(ann, there.session.id)
    assert await accounts.session_of(there.token) is None
    for foreign in (bobs.session.id, there.session.id, ids.new(ids.SESSION), "x", ids.new(ids.USER)):
        with pytest.raises(NotFound, match="session"):
            await accounts.end_session(ann, foreign)
    with pytest.raises(NotFound, match="session"):
        await accounts.end_session(Actor.operator(), here.session.id)
    assert await accounts.session_of(bobs.token) and await accounts.session_of(here.token)
    assert await accounts.sessions_of(Actor.operator()) == []


async def test_a_person_has_so_many_sessions_and_the_one_unseen_for_longest_ends(db: None) -> None:
    await make_owner()
    now = await database.now()
    tokens = []
    for number in range(MOST_LIVING + 1):
        database.freeze(now + number)
        tokens.append((await sign_in()).token)
    assert await accounts.session_of(tokens[0]) is None
    assert len(await accounts.sessions_of(await actor_of(tokens[1]))) == MOST_LIVING


async def test_each_beginning_and_end_has_one_entry_in_a_sound_chain(db: None) -> None:
    user, _ = await make_owner()
    one, other = await sign_in(), await sign_in()
    confirmed = await accounts.confirm(one.token, PASSWORD)
    await accounts.end_session(await actor_of(confirmed.token), other.session.id)
    await accounts.sign_out(confirmed.token)
    await accounts.sign_out(confirmed.token)
    entries = (await audit_store.newest(SYSTEM_CHAIN, limit=20))[::-1]
    kinds = ["account.created", "session.started", "session.started", "session.confirmed", "session.ended", "session.ended"]
    assert [entry.action for entry in entries] == kinds
    assert {entry.target for entry in entries} == {user.id} and entries[1].request.address == "203.0.113.9"
    assert await audit.first_broken(SYSTEM_CHAIN) is None


async def test_a_forms_token_belongs_to_one_session(db: None) -> None:
    await make_owner()
    one, other = await sign_in(), await sign_in()
    renewed = await accounts.confirm(one.token, PASSWORD)
    tokens = {csrf_token(each.token) for each in (one, other, renewed)}
    assert len(tokens) == 3 and all(re.fullmatch("[0-9a-f]{64}", token) for token in tokens)
    assert csrf_token(one.token) == csrf_token(one.token)
