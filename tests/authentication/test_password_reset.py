"""Password reset: links that work once, for an hour, for one account; and requesting one reveals nothing about accounts."""

from __future__ import annotations

import asyncio

import pytest

from app import database
from app.access.actor import Actor
from app.audit import store as audit_store
from app.authentication import service as authentication
from app.clock import HOUR
from app.errors import LinkExpired, NotAllowed, NotFound, SignInFailed, TooManyAttempts, ValidationFailed
from app.one_time_links import service as links
from app.sessions import service as sessions
from app.tenancy.service import SYSTEM_CHAIN
from app.users import store as user_store
from tests.conftest import Team
from tests.support.outbox import send_mails
from tests.support.smtp import Smtp
from tests.support.users import OTHER_PASSWORD, PASSWORD, REQUEST, make_owner, request_from, sign_in, token_of


async def link(email: str = "ann@example.org") -> str:
    return token_of(await authentication.password_reset_link(Actor.operator(), email))


async def test_a_reset_sets_the_password_ends_all_sessions_and_all_links_of_the_account(db: None) -> None:
    user, _ = await make_owner()
    await make_owner("bob@example.org", "Bob", "Bolts")
    session, bobs = await sign_in(), await sign_in("bob@example.org")
    one, other, bobs_link = await link(), await link(), await link("bob@example.org")
    for _ in range(2):
        assert await authentication.find_password_reset(one) == user
    await authentication.reset_password(REQUEST, one, OTHER_PASSWORD)
    assert await sessions.find(session.token) is None and await sessions.find(bobs.token)
    for dead in (one, other):
        assert await authentication.find_password_reset(dead) is None
        with pytest.raises(LinkExpired):
            await authentication.reset_password(REQUEST, dead, "third one with many words")
    assert await authentication.find_password_reset(bobs_link)
    with pytest.raises(SignInFailed):
        await sign_in()
    await sign_in(password=OTHER_PASSWORD)
    actions = [entry.action for entry in await audit_store.newest(SYSTEM_CHAIN, limit=20) if entry.target == user.id]
    assert actions.count("account.password_reset_link_made") == 2 and actions.count("account.password_changed") == 1


async def test_of_two_concurrent_resets_one_wins(db: None) -> None:
    await make_owner()
    token = await link()
    passwords = [OTHER_PASSWORD, "seven green ladders waiting"]
    tries = (authentication.reset_password(REQUEST, token, password) for password in passwords)
    found = await asyncio.gather(*tries, return_exceptions=True)
    assert [type(each) for each in found].count(LinkExpired) == 1 and found.count(None) == 1
    await sign_in(password=passwords[found.index(None)])


async def test_a_link_works_for_an_hour(db: None) -> None:
    await make_owner()
    now = await database.now()
    database.freeze(now)
    token = await link()
    database.freeze(now + HOUR - 1)
    assert await authentication.find_password_reset(token)
    database.freeze(now + HOUR)
    assert await authentication.find_password_reset(token) is None
    with pytest.raises(LinkExpired):
        await authentication.reset_password(REQUEST, token, OTHER_PASSWORD)
    await links.purge_expired()
    assert await database.fetch("SELECT * FROM link") == []


async def test_a_bad_password_is_refused_and_the_link_stays_valid(db: None) -> None:
    await make_owner()
    token = await link()
    with pytest.raises(ValidationFailed) as refusal:
        await authentication.reset_password(REQUEST, token, "too short")
    assert [(fault.field, fault.code) for fault in refusal.value.fields] == [("newPassword", "TOO_SHORT")]
    await authentication.reset_password(REQUEST, token, OTHER_PASSWORD)


async def test_the_operators_link_is_for_an_account_that_exists_and_for_the_operator(team: Team) -> None:
    for email in ("nobody@example.org", "", "\x00"):
        with pytest.raises(NotFound):
            await authentication.password_reset_link(Actor.operator(), email)
    with pytest.raises(NotAllowed):
        await authentication.password_reset_link(team.owner, "viewer@acme.example")


async def test_the_link_goes_to_the_stored_address_and_leads_to_the_origin_of_the_settings(db: None, smtp: Smtp) -> None:
    await make_owner("Ann@Example.org")
    await authentication.request_password_reset(REQUEST, "ann\uff20example.ORG")
    await send_mails()
    (letter,) = smtp.received
    assert letter["To"] == "Ann@Example.org" and smtp.recipients == ["Ann@Example.org"]
    (url,) = [line for line in letter.get_content().splitlines() if "://" in line]
    assert url.startswith("https://keys.example.com/password-reset/")
    await authentication.reset_password(REQUEST, token_of(url), OTHER_PASSWORD)
    await sign_in(password=OTHER_PASSWORD)


async def test_a_request_is_answered_before_the_account_is_looked_up(db: None, smtp: Smtp, monkeypatch: pytest.MonkeyPatch) -> None:
    await make_owner()
    looked_up: list[str] = []
    real = user_store.find_by_email

    async def seen(key: str) -> object:
        looked_up.append(key)
        return await real(key)

    monkeypatch.setattr(user_store, "find_by_email", seen)
    for email in ("ann@example.org", "nobody@example.org"):
        assert await authentication.request_password_reset(REQUEST, email) is None  # type: ignore[func-returns-value]
        assert email not in looked_up
    await send_mails()
    assert looked_up == ["ann@example.org", "nobody@example.org"] and len(smtp.received) == 1


async def test_without_mail_a_request_creates_no_link(db: None) -> None:
    await make_owner()
    await authentication.request_password_reset(REQUEST, "ann@example.org")
    await send_mails()
    assert await database.fetch("SELECT * FROM link") == []


async def test_requests_are_throttled_equally_for_every_account_and_write_no_audit_entry(db: None, smtp: Smtp) -> None:
    await make_owner()
    before = len(await audit_store.newest(SYSTEM_CHAIN, limit=50))
    for email in ("ann@example.org", "nobody@example.org"):
        for number in range(3):
            await authentication.request_password_reset(request_from(f"198.51.100.{number}"), email)
        with pytest.raises(TooManyAttempts):
            await authentication.request_password_reset(request_from("198.51.100.9"), email)
    for number in range(7):
        await authentication.request_password_reset(request_from("198.51.100.1"), f"person{number}@example.org")
    with pytest.raises(TooManyAttempts):
        for number in range(7, 9):
            await authentication.request_password_reset(request_from("198.51.100.1"), f"person{number}@example.org")
    await send_mails()
    assert len(smtp.received) == 3 and len(await audit_store.newest(SYSTEM_CHAIN, limit=50)) == before


async def test_old_links_and_new_ones_are_stored_as_digests_only(db: None) -> None:
    await make_owner()
    token = await link()
    assert token not in str([await database.fetch("SELECT * FROM link"), await database.fetch("SELECT * FROM audit_entry")])
    assert PASSWORD not in str(await database.fetch("SELECT * FROM account"))
