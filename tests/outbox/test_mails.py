"""Mails in the outbox: sent by a job, retried, given up without an error, and never in the log."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from app import database, mail, runtime
from app.clock import DAY
from app.mail import EmailContent, Mail
from app.outbox import mails, store
from app.settings import Settings
from tests.support.outbox import send_mails
from tests.support.smtp import Smtp

TEXT = "the link: https://keys.example.com/password-reset/secret-token-of-the-mail"
CONTENT = EmailContent("subject-of-the-mail", TEXT)


async def write(to: str = "ann@example.org") -> None:
    async with database.transaction():
        await mails.send(to, CONTENT, await database.now())


@pytest.mark.parametrize(("refusals", "arrived"), [(3, 1), (4, 0)])
async def test_a_busy_server_is_tried_until_the_pauses_are_used_up(smtp: Smtp, refusals: int, arrived: int) -> None:
    smtp.refusals = refusals
    await write()
    await send_mails()
    assert len(smtp.received) == arrived and smtp.refusals == 0
    assert await store.count_waiting(before=await database.now()) == {}


async def test_a_mail_waits_longer_after_each_attempt(
    db: None, settings: Settings, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    now = 1_793_000_000_000_000
    database.freeze(now)
    await write()
    with runtime.replaced(Mail(replace(settings, smtp_url="smtp://user:mail-password@127.0.0.1:1"))):
        for pause in mails.PAUSES:
            await mails.run(now)
            assert not await mails.is_wanted(now + pause - 1)
            now += pause
            database.freeze(now)
            assert await mails.is_wanted(now)
        await mails.run(now)
    assert not await mails.is_wanted(now + 7 * DAY) and "given up" in caplog.text
    assert not any(word in caplog.text for word in ("secret-token", "mail-password", "subject-of", "ann@example"))


@pytest.mark.parametrize("to", ["ann@example.org\nBcc: eve@example.org", "", "\ud800@example.org"])
async def test_an_invalid_mail_is_given_up_at_once_and_its_content_is_not_logged(
    smtp: Smtp, caplog: pytest.LogCaptureFixture, to: str
) -> None:
    caplog.set_level(logging.DEBUG)
    await write(to)
    await write()
    await send_mails()
    assert smtp.recipients == ["ann@example.org"]
    told = [record for record in caplog.records if record.name == "keydesk.mail"]
    assert told and not any(word in caplog.text for word in ("secret-token", "subject-of-the-mail"))


async def test_a_node_that_only_verifies_sends_nothing(smtp: Smtp, settings: Settings) -> None:
    await write()
    now = await database.now()
    with runtime.replaced(Mail(replace(settings, role="verify"))):
        assert not await mails.is_wanted(now)
    assert await mails.is_wanted(now)


async def test_a_mail_that_was_sent_but_not_noted_is_sent_again_with_the_same_id(
    smtp: Smtp, monkeypatch: pytest.MonkeyPatch
) -> None:
    await write()

    async def broken(item_id: str, now: int) -> bool:
        raise EOFError

    with monkeypatch.context() as patched:
        patched.setattr(mails.store, "finish", broken)
        with pytest.raises(EOFError):
            await mails.run(await database.now())
    await send_mails()
    assert len(smtp.received) == 2 and len({letter["Message-ID"] for letter in smtp.received}) == 1
    assert mail.current().configured
