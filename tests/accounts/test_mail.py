"""Mail: tried again, given up quietly, never in anybody's way, and never in the log."""

from __future__ import annotations

import logging
import re
from dataclasses import replace
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from app import mail
from app.mail import Mail
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
    post = Mail(replace(settings, smtp_url="smtp://user:mail-password@127.0.0.1:1"))
    post.send("ann@example.org", "s", TEXT)
    await post.close()
    assert "given up" in caplog.text
    assert not any(word in caplog.text for word in ("secret-token", "mail-password"))


async def test_a_password_is_never_given_to_a_server_without_encryption(smtp: Smtp, settings: Settings) -> None:
    post = Mail(replace(settings, smtp_url=f"smtp://user:mail-password@127.0.0.1:{smtp.port}"))
    post.send("ann@example.org", "s", TEXT)
    await post.drain()
    assert smtp.received == []


async def test_without_a_server_a_mail_is_a_file_that_nobody_else_reads(settings: Settings, opened: None, tmp_path: Path) -> None:
    folder = tmp_path / "below" / "mail"
    post = mail.Mail(replace(settings, mail_folder=folder))
    assert not post.configured
    post.send("ann@example.org", "Grüße", TEXT)
    await post.drain()
    (path,) = folder.iterdir()
    assert re.fullmatch(r"\d{8}T\d{12}Z-[a-z2-7]{20}\.eml", path.name)
    assert (folder.stat().st_mode & 0o777, path.stat().st_mode & 0o777) == (0o700, 0o600)
    letter = message_from_bytes(path.read_bytes(), policy=policy.default)
    assert TEXT in path.read_text()
    assert (letter["To"], letter["Subject"], letter.get_content().strip()) == ("ann@example.org", "Grüße", TEXT)


async def test_of_mails_as_files_the_newest_are_kept_and_nothing_else_is_touched(
    settings: Settings, opened: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail, "MOST_KEPT", 3)
    (tmp_path / "kept.eml").touch()
    post = mail.Mail(replace(settings, mail_folder=tmp_path))
    for number in range(5):
        post.send(f"person{number}@example.org", "s", TEXT)
        await post.drain()
    assert (tmp_path / "kept.eml").exists()
    held = [path.read_text() for path in sorted(tmp_path.glob("2*.eml"))]
    assert [re.findall(r"person(\d)", text) for text in held] == [["2"], ["3"], ["4"]]


async def test_a_folder_that_cannot_be_written_harms_nobody_and_tells_nothing(
    settings: Settings, opened: None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "mail").touch()
    post = mail.Mail(replace(settings, mail_folder=tmp_path / "mail"))
    post.send("ann@example.org", "subject-of-the-mail", TEXT)
    await post.drain()
    assert "given up" in caplog.text and "secret-token" not in caplog.text and "subject-of-the-mail" not in caplog.text


def test_the_folder_is_beside_the_database_unless_it_is_named() -> None:
    def folder(**variables: str) -> Path:
        return Settings.load({f"KEYDESK_{name}": value for name, value in variables.items()}).mail_path

    assert folder() == folder(DATABASE_URL="postgresql:///keydesk") == Path("var/mail")
    assert folder(DATABASE_URL="sqlite:////srv/keydesk.db") == Path("/srv/mail")
    assert folder(MAIL_FOLDER="/srv/post") == Path("/srv/post")


async def test_only_so_much_waits(smtp: Smtp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail, "LONGEST_QUEUE", 3)
    for number in range(5):
        mail.current().send(f"person{number}@example.org", "s", TEXT)
    await mail.current().drain()
    assert sorted(smtp.recipients) == [f"person{number}@example.org" for number in range(3)]


def test_the_text_of_a_link_is_the_origin_and_the_path(settings: Settings) -> None:
    assert mail.Mail(settings).link("/set-up/x") == f"{settings.origin}/set-up/x"
    assert mail.Mail(replace(settings, public_url="https://keys.example.com")).link("/a") == "https://keys.example.com/a"
