"""A new e-mail address: it counts only once the link that was mailed there was used."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from app import database
from app.access.actor import Actor
from app.audit import store as audit_store
from app.authentication import service as authentication
from app.errors import ConfirmationNeeded, Conflict, LinkExpired, SignInFailed, TooManyAttempts, ValidationFailed
from app.tenancy.service import SYSTEM_CHAIN
from tests.support.outbox import send_mails
from tests.support.smtp import Smtp
from tests.support.users import PASSWORD, REQUEST, make_owner, sign_in

OLD, NEW = "ann@example.org", "ann@new.example"


async def actor_of(email: str = OLD) -> Actor:
    return Actor.user((await sign_in(email)).session.user.id, "Ann", REQUEST)


async def mailed_token(smtp: Smtp, to: str = NEW) -> str:
    await send_mails()
    sent = [each for each in smtp.received if each["To"] == to and "Confirm" in each["Subject"]]
    return sent[-1].get_content().split("/email-change/")[1].split()[0]


async def test_the_new_address_signs_in_once_it_is_confirmed_and_the_old_one_is_told(db: None, smtp: Smtp) -> None:
    await make_owner()
    assert await authentication.request_email_change(await actor_of(), f" {NEW} ") == NEW
    token = await mailed_token(smtp)
    with pytest.raises(SignInFailed):
        await authentication.sign_in(REQUEST, NEW, PASSWORD)
    found = await authentication.find_email_change(token)
    assert found is not None and (found.user.email, found.email) == (OLD, NEW)
    assert (await authentication.change_email(REQUEST, token)).email == NEW
    await authentication.sign_in(REQUEST, NEW, PASSWORD)
    with pytest.raises(SignInFailed):
        await authentication.sign_in(REQUEST, OLD, PASSWORD)
    await send_mails()
    told = smtp.received[-1]
    assert told["To"] == OLD and NEW in told.get_content()
    (entry,) = [each for each in await audit_store.newest(SYSTEM_CHAIN, limit=9) if each.action == "account.email_changed"]
    assert entry.detail == {"before": OLD, "after": NEW}


async def test_a_link_works_once_and_a_newer_one_takes_its_place(db: None, smtp: Smtp) -> None:
    await make_owner()
    actor = await actor_of()
    await authentication.request_email_change(actor, NEW)
    first = await mailed_token(smtp)
    await authentication.request_email_change(actor, NEW)
    second = await mailed_token(smtp)
    with pytest.raises(LinkExpired):
        await authentication.change_email(REQUEST, first)
    tries = await asyncio.gather(*(authentication.change_email(REQUEST, second) for _ in range(5)), return_exceptions=True)
    assert [type(each) for each in tries].count(LinkExpired) == 4
    assert await authentication.find_email_change(second) is None


async def test_a_new_password_voids_the_links_that_someone_who_knew_the_old_one_requested(db: None, smtp: Smtp) -> None:
    await make_owner()
    session = await sign_in(OLD)
    await authentication.request_email_change(await actor_of(), NEW)
    token = await mailed_token(smtp)
    await authentication.change_password(session.token, PASSWORD, "quite another long password")
    assert await authentication.find_email_change(token) is None
    with pytest.raises(LinkExpired):
        await authentication.change_email(REQUEST, token)


async def test_an_address_of_someone_else_is_mailed_alike_and_refused_when_it_is_confirmed(db: None, smtp: Smtp) -> None:
    await make_owner()
    await make_owner("bob@example.org", "Bob", "Bolts")
    actor = await actor_of()
    assert await authentication.request_email_change(actor, "BOB@example.org") == "BOB@example.org"
    token = await mailed_token(smtp, "BOB@example.org")
    with pytest.raises(Conflict):
        await authentication.change_email(REQUEST, token)
    await sign_in("bob@example.org")
    assert (await sign_in()).session.user.email == OLD


async def test_links_to_reset_the_password_that_the_old_address_got_are_void(db: None, smtp: Smtp) -> None:
    await make_owner()
    reset = (await authentication.password_reset_link(Actor.operator(), OLD)).rpartition("/")[2]
    await authentication.request_email_change(await actor_of(), NEW)
    await authentication.change_email(REQUEST, await mailed_token(smtp))
    assert await authentication.find_password_reset(reset) is None


async def test_wrong_input_an_old_password_and_too_many_requests_send_nothing(db: None, smtp: Smtp) -> None:
    await make_owner()
    actor = await actor_of()
    with pytest.raises(ValidationFailed):
        await authentication.request_email_change(actor, "no address")
    with pytest.raises(ConfirmationNeeded):
        await authentication.request_email_change(replace(actor, authenticated_at=1), NEW)
    assert await database.fetch("SELECT id FROM link WHERE purpose = 'email-change'") == []
    with pytest.raises(TooManyAttempts):
        for _ in range(50):
            await authentication.request_email_change(actor, NEW)


async def test_without_a_mail_server_no_address_can_be_confirmed(db: None) -> None:
    await make_owner()
    with pytest.raises(Conflict):
        await authentication.request_email_change(await actor_of(), NEW)
