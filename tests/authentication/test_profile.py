"""A user's own name and password: which sessions a new password ends, and which passwords are accepted."""

from __future__ import annotations

import asyncio

import pytest

from app import database
from app.access.actor import Actor
from app.audit import store as audit_store
from app.authentication import service as authentication
from app.errors import LinkExpired, NotAllowed, NotAuthenticated, SignInFailed, TooManyAttempts, ValidationFailed
from app.sessions import service as sessions
from app.sessions.session import SignedIn
from app.tenancy.service import SYSTEM_CHAIN
from tests.support.outbox import send_mails
from tests.support.smtp import Smtp
from tests.support.users import OTHER_PASSWORD, PASSWORD, REQUEST, make_owner, sign_in, token_of


async def test_a_new_password_ends_all_other_sessions_and_gives_this_one_a_new_token(db: None) -> None:
    await make_owner()
    await make_owner("bob@example.org", "Bob", "Bolts")
    here, there, bobs = await sign_in(), await sign_in(), await sign_in("bob@example.org")
    changed = await authentication.change_password(here.token, PASSWORD, OTHER_PASSWORD)
    for dead in (here, there):
        assert await sessions.find(dead.token) is None
    for alive in (changed, bobs):
        assert await sessions.find(alive.token)
    with pytest.raises(SignInFailed):
        await sign_in()
    await sign_in(password=OTHER_PASSWORD)
    entries = await audit_store.newest(SYSTEM_CHAIN, limit=9)
    assert [entry.action for entry in entries].count("account.password_changed") == 1
    assert not any(secret in str(entries) for secret in (PASSWORD, OTHER_PASSWORD))


async def test_a_new_password_invalidates_links_to_reset_the_old_one(db: None) -> None:
    await make_owner()
    link = token_of(await authentication.password_reset_link(Actor.operator(), "ann@example.org"))
    await authentication.change_password((await sign_in()).token, PASSWORD, OTHER_PASSWORD)
    with pytest.raises(LinkExpired):
        await authentication.reset_password(REQUEST, link, "third one with many words")


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
async def test_a_refused_change_names_the_field_and_changes_nothing(
    db: None, current: str, new: str, field: str, code: str
) -> None:
    await make_owner()
    here, there = await sign_in(), await sign_in()
    with pytest.raises(ValidationFailed) as refusal:
        await authentication.change_password(here.token, current, new)
    assert [(fault.field, fault.code) for fault in refusal.value.fields] == [(field, code)]
    assert await sessions.find(here.token) and await sessions.find(there.token)
    await sign_in()


async def test_a_stolen_session_cannot_be_used_to_guess_the_password(db: None) -> None:
    await make_owner()
    token = (await sign_in()).token
    for _ in range(10):
        with pytest.raises(ValidationFailed):
            await authentication.change_password(token, "not the password at all", OTHER_PASSWORD)
    for attempt in (authentication.change_password(token, PASSWORD, OTHER_PASSWORD), authentication.confirm(token, PASSWORD)):
        with pytest.raises(TooManyAttempts):
            await attempt


async def test_of_two_concurrent_changes_one_wins_and_the_other_changes_nothing(db: None) -> None:
    await make_owner()
    tokens = [(await sign_in()).token for _ in range(2)]
    news = [OTHER_PASSWORD, "seven green ladders waiting"]
    attempts = (authentication.change_password(token, PASSWORD, new) for token, new in zip(tokens, news, strict=True))
    found = await asyncio.gather(*attempts, return_exceptions=True)
    (winner,) = [number for number, each in enumerate(found) if isinstance(each, SignedIn)]
    assert isinstance(found[1 - winner], (ValidationFailed, NotAuthenticated))
    await sign_in(password=news[winner])
    with pytest.raises(SignInFailed):
        await sign_in(password=news[1 - winner])


async def test_the_user_is_notified_by_mail(db: None, smtp: Smtp) -> None:
    await make_owner()
    await authentication.change_password((await sign_in()).token, PASSWORD, OTHER_PASSWORD)
    await send_mails()
    (letter,) = smtp.received
    assert (letter["To"], letter["Subject"]) == ("ann@example.org", "Your password was changed")
    assert PASSWORD not in letter.get_content() and OTHER_PASSWORD not in letter.get_content()


async def test_a_name_change_writes_one_entry_and_the_session_shows_it_immediately(db: None) -> None:
    user, _ = await make_owner()
    signed_in = await sign_in()
    actor = signed_in.session.actor(REQUEST)
    for _ in range(2):
        assert (await authentication.change_name(actor, "  Anne\u0301  Lee ")).name == "Ann\u00e9  Lee"
    session = await sessions.find(signed_in.token)
    assert session and session.user.name == "Ann\u00e9  Lee"
    (entry,) = [entry for entry in await audit_store.newest(SYSTEM_CHAIN, limit=9) if entry.action == "account.renamed"]
    assert (entry.target, entry.detail) == (user.id, {"before": "Ann", "after": "Ann\u00e9  Lee"})


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, "a\nb", "a\x00b", "a\u2028b", "\ud800"])
async def test_an_invalid_name_is_refused(db: None, name: str) -> None:
    await make_owner()
    actor = (await sign_in()).session.actor(REQUEST)
    with pytest.raises(ValidationFailed) as refusal:
        await authentication.change_name(actor, name)
    assert [fault.field for fault in refusal.value.fields] == ["name"]
    assert (await database.fetch("SELECT name FROM account"))[0]["name"] == "Ann"


async def test_only_a_user_has_a_name_to_change(db: None) -> None:
    with pytest.raises(NotAllowed):
        await authentication.change_name(Actor.operator(), "Root")
