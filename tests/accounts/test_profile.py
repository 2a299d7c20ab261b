"""One's own name and password: what a new password shuts, and what it must be."""

from __future__ import annotations

import asyncio

import pytest

from app import database, mail
from app.access.actor import Actor
from app.accounts import service as accounts
from app.accounts.session import SignedIn
from app.audit import store as audit_store
from app.errors import LinkExpired, NotAllowed, NotAuthenticated, SignInFailed, TooManyAttempts, ValidationFailed
from app.tenancy.service import SYSTEM_CHAIN
from tests.support.people import OTHER_PASSWORD, PASSWORD, REQUEST, make_owner, sign_in, token_of
from tests.support.smtp import Smtp


async def test_a_new_password_ends_all_other_sessions_and_gives_this_one_a_new_token(db: None) -> None:
    await make_owner()
    await make_owner("bob@example.org", "Bob", "Bolts")
    here, there, bobs = await sign_in(), await sign_in(), await sign_in("bob@example.org")
    changed = await accounts.change_password(here.token, PASSWORD, OTHER_PASSWORD)
    for dead in (here, there):
        assert await accounts.session_of(dead.token) is None
    for alive in (changed, bobs):
        assert await accounts.session_of(alive.token)
    with pytest.raises(SignInFailed):
        await sign_in()
    await sign_in(password=OTHER_PASSWORD)
    entries = await audit_store.newest(SYSTEM_CHAIN, limit=9)
    assert [entry.action for entry in entries].count("account.password_changed") == 1
    assert not any(secret in str(entries) for secret in (PASSWORD, OTHER_PASSWORD))


async def test_a_new_password_kills_the_links_that_would_reset_the_old_one(db: None) -> None:
    await make_owner()
    link = token_of(await accounts.password_reset_link(Actor.operator(), "ann@example.org"))
    await accounts.change_password((await sign_in()).token, PASSWORD, OTHER_PASSWORD)
    with pytest.raises(LinkExpired):
        await accounts.reset_password(REQUEST, link, "third one with many words")


@pytest.mark.parametrize(
    ("current", "new", "field", "code"),
    [
        ("not the password at all", OTHER_PASSWORD, "currentPassword", "WRONG"),
        ("", OTHER_PASSWORD, "currentPassword", "WRONG"),
        (PASSWORD, PASSWORD, "newPassword", "SAME"),
        (PASSWORD, "14 characters!", "newPassword", "TOO_SHORT"),
        (PASSWORD, "ann@example.org", "newPassword", "TOO_COMMON"),
        (PASSWORD, "x" * 1025, "newPassword", "TOO_LONG"),
    ],
)
async def test_a_refused_change_says_where_and_changes_nothing(db: None, current: str, new: str, field: str, code: str) -> None:
    await make_owner()
    here, there = await sign_in(), await sign_in()
    with pytest.raises(ValidationFailed) as refusal:
        await accounts.change_password(here.token, current, new)
    assert [(fault.field, fault.code) for fault in refusal.value.fields] == [(field, code)]
    assert await accounts.session_of(here.token) and await accounts.session_of(there.token)
    await sign_in()


async def test_nobody_guesses_the_password_through_a_stolen_session(db: None) -> None:
    await make_owner()
    token = (await sign_in()).token
    for _ in range(10):
        with pytest.raises(ValidationFailed):
            await accounts.change_password(token, "not the password at all", OTHER_PASSWORD)
    for attempt in (accounts.change_password(token, PASSWORD, OTHER_PASSWORD), accounts.confirm(token, PASSWORD)):
        with pytest.raises(TooManyAttempts):
            await attempt


async def test_of_two_changes_at_once_one_wins_and_the_other_changes_nothing(db: None) -> None:
    await make_owner()
    tokens = [(await sign_in()).token for _ in range(2)]
    news = [OTHER_PASSWORD, "seven green ladders waiting"]
    attempts = (accounts.change_password(token, PASSWORD, new) for token, new in zip(tokens, news, strict=True))
    found = await asyncio.gather(*attempts, return_exceptions=True)
    (winner,) = [number for number, each in enumerate(found) if isinstance(each, SignedIn)]
    assert isinstance(found[1 - winner], (ValidationFailed, NotAuthenticated))
    await sign_in(password=news[winner])
    with pytest.raises(SignInFailed):
        await sign_in(password=news[1 - winner])


async def test_the_person_is_told_by_mail(db: None, smtp: Smtp) -> None:
    await make_owner()
    await accounts.change_password((await sign_in()).token, PASSWORD, OTHER_PASSWORD)
    await mail.current().drain()
    (letter,) = smtp.received
    assert (letter["To"], letter["Subject"]) == ("ann@example.org", "Your password was changed")
    assert PASSWORD not in letter.get_content() and OTHER_PASSWORD not in letter.get_content()


async def test_a_name_is_changed_with_one_entry_and_seen_by_the_session_at_once(db: None) -> None:
    user, _ = await make_owner()
    signed_in = await sign_in()
    actor = signed_in.session.actor(REQUEST)
    for _ in range(2):
        assert (await accounts.change_name(actor, "  Anne\u0301  Lee ")).name == "Ann\u00e9  Lee"
    session = await accounts.session_of(signed_in.token)
    assert session and session.user.name == "Ann\u00e9  Lee"
    (entry,) = [entry for entry in await audit_store.newest(SYSTEM_CHAIN, limit=9) if entry.action == "account.renamed"]
    assert (entry.target, entry.detail) == (user.id, {"before": "Ann", "after": "Ann\u00e9  Lee"})


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, "a\nb", "a\x00b", "a\u2028b", "\ud800"])
async def test_what_is_no_name_is_refused(db: None, name: str) -> None:
    await make_owner()
    actor = (await sign_in()).session.actor(REQUEST)
    with pytest.raises(ValidationFailed) as refusal:
        await accounts.change_name(actor, name)
    assert [fault.field for fault in refusal.value.fields] == ["name"]
    assert (await database.fetch("SELECT name FROM account"))[0]["name"] == "Ann"


async def test_only_a_person_has_a_name_to_change(db: None) -> None:
    with pytest.raises(NotAllowed):
        await accounts.change_name(Actor.operator(), "Root")
