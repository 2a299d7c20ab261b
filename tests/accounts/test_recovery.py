"""A forgotten password: links that work once, for an hour, for one account; and asking for one tells nothing."""

from __future__ import annotations

import asyncio

import pytest

from app import database, mail
from app.access.actor import Actor
from app.accounts import service as accounts
from app.audit import store as audit_store
from app.clock import HOUR
from app.errors import LinkExpired, NotAllowed, NotFound, SignInFailed, TooManyAttempts, ValidationFailed
from app.tenancy import store as workspace_store
from app.tenancy.service import SYSTEM_CHAIN
from tests.conftest import Team
from tests.support.people import OTHER_PASSWORD, PASSWORD, REQUEST, coming_from, make_owner, sign_in, token_of
from tests.support.smtp import Smtp


async def link(email: str = "ann@example.org") -> str:
    return token_of(await accounts.password_reset_link(Actor.operator(), email))


async def test_a_reset_sets_the_password_ends_all_sessions_and_all_links_of_the_account(db: None) -> None:
    user, _ = await make_owner()
    await make_owner("bob@example.org", "Bob", "Bolts")
    session, bobs = await sign_in(), await sign_in("bob@example.org")
    one, other, bobs_link = await link(), await link(), await link("bob@example.org")
    for _ in range(2):
        assert await accounts.find_password_reset(one) == user
    await accounts.reset_password(REQUEST, one, OTHER_PASSWORD)
    assert await accounts.session_of(session.token) is None and await accounts.session_of(bobs.token)
    for dead in (one, other):
        assert await accounts.find_password_reset(dead) is None
        with pytest.raises(LinkExpired):
            await accounts.reset_password(REQUEST, dead, "third one with many words")
    assert await accounts.find_password_reset(bobs_link)
    with pytest.raises(SignInFailed):
        await sign_in()
    await sign_in(password=OTHER_PASSWORD)
    actions = [entry.action for entry in await audit_store.newest(SYSTEM_CHAIN, limit=20) if entry.target == user.id]
    assert actions.count("account.password_reset_link_made") == 2 and actions.count("account.password_changed") == 1


async def test_in_two_tabs_at_once_one_wins(db: None) -> None:
    await make_owner()
    token = await link()
    passwords = [OTHER_PASSWORD, "seven green ladders waiting"]
    tries = (accounts.reset_password(REQUEST, token, password) for password in passwords)
    found = await asyncio.gather(*tries, return_exceptions=True)
    assert [type(each) for each in found].count(LinkExpired) == 1 and found.count(None) == 1
    await sign_in(password=passwords[found.index(None)])


async def test_a_link_lives_an_hour(db: None) -> None:
    await make_owner()
    now = await database.now()
    database.freeze(now)
    token = await link()
    database.freeze(now + HOUR - 1)
    assert await accounts.find_password_reset(token)
    database.freeze(now + HOUR)
    assert await accounts.find_password_reset(token) is None
    with pytest.raises(LinkExpired):
        await accounts.reset_password(REQUEST, token, OTHER_PASSWORD)
    await accounts.forget_old()
    assert await database.fetch("SELECT * FROM link") == []


async def test_a_bad_password_is_refused_and_the_link_lives_on(db: None) -> None:
    await make_owner()
    token = await link()
    with pytest.raises(ValidationFailed) as refusal:
        await accounts.reset_password(REQUEST, token, "too short")
    assert [(fault.field, fault.code) for fault in refusal.value.fields] == [("newPassword", "TOO_SHORT")]
    await accounts.reset_password(REQUEST, token, OTHER_PASSWORD)


async def test_the_operators_link_is_for_an_account_that_exists_and_for_the_operator(team: Team) -> None:
    for email in ("nobody@example.org", "", "\x00"):
        with pytest.raises(NotFound):
            await accounts.password_reset_link(Actor.operator(), email)
    with pytest.raises(NotAllowed):
        await accounts.password_reset_link(team.owner, "viewer@acme.example")


async def test_the_link_goes_to_the_stored_address_and_leads_to_the_origin_of_the_settings(db: None, smtp: Smtp) -> None:
    await make_owner("Ann@Example.org")
    await accounts.request_password_reset(REQUEST, "ann\uff20example.ORG")
    await mail.current().drain()
    (letter,) = smtp.received
    assert letter["To"] == "Ann@Example.org" and smtp.recipients == ["Ann@Example.org"]
    (url,) = [line for line in letter.get_content().splitlines() if "://" in line]
    assert url.startswith("https://keys.example.com/password-reset/")
    await accounts.reset_password(REQUEST, token_of(url), OTHER_PASSWORD)
    await sign_in(password=OTHER_PASSWORD)


async def test_asking_answers_before_anything_about_the_account_is_looked_up(
    db: None, smtp: Smtp, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make_owner()
    looked_up: list[str] = []
    real = workspace_store.find_user_by_email

    async def seen(key: str) -> object:
        looked_up.append(key)
        return await real(key)

    monkeypatch.setattr(workspace_store, "find_user_by_email", seen)
    for email in ("ann@example.org", "nobody@example.org"):
        assert await accounts.request_password_reset(REQUEST, email) is None  # type: ignore[func-returns-value]
        assert email not in looked_up
    await mail.current().drain()
    assert looked_up == ["ann@example.org", "nobody@example.org"] and len(smtp.received) == 1


async def test_without_mail_asking_makes_no_link(db: None) -> None:
    await make_owner()
    await accounts.request_password_reset(REQUEST, "ann@example.org")
    await mail.current().drain()
    assert await database.fetch("SELECT * FROM link") == []


async def test_asking_is_throttled_the_same_for_every_account_and_lengthens_no_chain(db: None, smtp: Smtp) -> None:
    await make_owner()
    before = len(await audit_store.newest(SYSTEM_CHAIN, limit=50))
    for email in ("ann@example.org", "nobody@example.org"):
        for number in range(3):
            await accounts.request_password_reset(coming_from(f"198.51.100.{number}"), email)
        with pytest.raises(TooManyAttempts):
            await accounts.request_password_reset(coming_from("198.51.100.9"), email)
    for number in range(7):
        await accounts.request_password_reset(coming_from("198.51.100.1"), f"person{number}@example.org")
    with pytest.raises(TooManyAttempts):
        for number in range(7, 9):
            await accounts.request_password_reset(coming_from("198.51.100.1"), f"person{number}@example.org")
    await mail.current().drain()
    assert len(smtp.received) == 3 and len(await audit_store.newest(SYSTEM_CHAIN, limit=50)) == before


async def test_old_links_and_new_ones_are_stored_as_digests_only(db: None) -> None:
    await make_owner()
    token = await link()
    assert token not in str([await database.fetch("SELECT * FROM link"), await database.fetch("SELECT * FROM audit_entry")])
    assert PASSWORD not in str(await database.fetch("SELECT * FROM account"))
