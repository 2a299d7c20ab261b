"""Mail: tried again, given up quietly, never in anybody's way, and never in the log."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from app import mail
from app.settings import Settings
from tests.support.smtp import Smtp

TEXT = "the link: https://keys.example.com/password-reset/secret-token-of-the-mail"


async def test_a_mail_arrives_with_its_text(smtp: Smtp) -> None:
    mail.current().send("ann@example.org", "Grüße aus der Zukunft", TEXT)
    await mail.current().drain()
    (letter,) = smtp.received
    assert (letter["From"], letter["To"]) == ("Keydesk <keydesk@localhost>", "ann@example.org")
    assert (letter["Subject"], letter["Auto-Submitted"]) == ("Grüße aus der Zukunft", "auto-generated")
    assert letter.get_content().strip() == TEXT


@pytest.mark.parametrize(("refusals", "arrived"), [(3, 1), (4, 0)])
async def test_a_server_that_is_busy_is_asked_four_times(smtp: Smtp, refusals: int, arrived: int) -> None:
    smtp.refusals = refusals
    mail.current().send("ann@example.org", "s", TEXT)
    await mail.current().drain()
    assert len(smtp.received) == arrived and smtp.refusals == 0


@pytest.mark.parametrize("to", ["ann@example.org\nBcc: eve@example.org", "", "\ud800@example.org"])
async def test_what_is_no_mail_is_given_up_without_a_word_about_its_content(
    smtp: Smtp, caplog: pytest.LogCaptureFixture, to: str
) -> None:
    caplog.set_level(logging.DEBUG)
    mail.current().send(to, "subject-of-the-mail", TEXT)
    await mail.current().drain()
    assert smtp.received == []
    told = [record for record in caplog.records if record.name == "keydesk.mail"]
    assert told and not any(word in caplog.text for word in ("secret-token", "subject-of-the-mail"))


async def test_a_server_that_is_not_there_harms_nobody(smtp: Smtp, settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    post = mail.bind(replace(settings, smtp_url="smtp://user:mail-password@127.0.0.1:1"))
    post.send("ann@example.org", "s", TEXT)
    await post.close()
    assert "given up" in caplog.text
    assert not any(word in caplog.text for word in ("secret-token", "mail-password"))


async def test_a_password_is_never_given_to_a_server_without_encryption(smtp: Smtp, settings: Settings) -> None:
    post = mail.bind(replace(settings, smtp_url=f"smtp://user:mail-password@127.0.0.1:{smtp.port}"))
    post.send("ann@example.org", "s", TEXT)
    await post.drain()
    assert smtp.received == []


async def test_without_a_server_nothing_is_sent(settings: Settings, opened: None) -> None:
    post = mail.Mail(settings)
    assert not post.configured
    post.send("ann@example.org", "s", TEXT)
    await post.drain()


async def test_only_so_much_waits(smtp: Smtp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail, "LONGEST_QUEUE", 3)
    for number in range(5):
        mail.current().send(f"person{number}@example.org", "s", TEXT)
    await mail.current().drain()
    assert sorted(smtp.recipients) == [f"person{number}@example.org" for number in range(3)]


def test_the_text_of_a_link_is_the_origin_and_the_path(settings: Settings) -> None:
    assert mail.Mail(settings).link("/set-up/x") == f"{settings.origin}/set-up/x"
    assert mail.Mail(replace(settings, public_url="https://keys.example.com")).link("/a") == "https://keys.example.com/a"
