"""Mail: one attempt says what came of it, and never in a log or an error."""

from __future__ import annotations

import re
from dataclasses import replace
from email import message_from_bytes, policy
from pathlib import Path

import aiosmtplib
import pytest

from app import ids, mail
from app.mail import EmailContent, Mail, Refused
from app.outbox.item import MESSAGE_ID
from app.settings import Settings
from tests.support.smtp import Smtp

AT = 1_793_000_000_000_000
TEXT = "the link: https://keys.example.com/password-reset/secret-token-of-the-mail"
CONTENT = EmailContent("Grüße aus der Zukunft", TEXT)


async def test_a_mail_arrives_with_its_text_and_the_same_id_each_time(smtp: Smtp) -> None:
    for _ in range(2):
        await mail.current().deliver("msg_abc", AT, "ann@example.org", CONTENT)
    letter, again = smtp.received
    assert (letter["From"], letter["To"]) == ("Keydesk <keydesk@localhost>", "ann@example.org")
    assert (letter["Subject"], letter["Auto-Submitted"]) == ("Grüße aus der Zukunft", "auto-generated")
    assert letter.get_content().strip() == TEXT
    assert letter["Message-ID"] == again["Message-ID"] == "<msg_abc@localhost>"


@pytest.mark.parametrize("to", ["ann@example.org\nBcc: eve@example.org", "", "\ud800@example.org"])
async def test_a_mail_that_nobody_can_send_is_refused_without_naming_its_content(smtp: Smtp, to: str) -> None:
    with pytest.raises(Refused) as refusal:
        await mail.current().deliver("msg_abc", AT, to, CONTENT)
    assert smtp.received == [] and "secret-token" not in str(refusal.value) and "example" not in str(refusal.value)


async def test_an_unreachable_server_is_an_error_that_can_be_tried_again(settings: Settings, opened: None) -> None:
    post = Mail(replace(settings, smtp_url="smtp://user:mail-password@127.0.0.1:1"))
    with pytest.raises((aiosmtplib.SMTPException, OSError)) as failure:
        await post.deliver("msg_abc", AT, "ann@example.org", CONTENT)
    assert "mail-password" not in str(failure.value)


async def test_a_password_is_never_sent_to_a_server_without_encryption(smtp: Smtp, settings: Settings) -> None:
    post = Mail(replace(settings, smtp_url=f"smtp://user:mail-password@127.0.0.1:{smtp.port}"))
    with pytest.raises(aiosmtplib.SMTPException):
        await post.deliver("msg_abc", AT, "ann@example.org", CONTENT)
    assert smtp.received == []


async def test_without_a_server_a_mail_is_one_file_that_only_its_user_can_read(settings: Settings, tmp_path: Path) -> None:
    folder, mail_id = tmp_path / "below" / "mail", ids.new(MESSAGE_ID)
    post = Mail(replace(settings, mail_folder=folder))
    assert not post.configured
    for _ in range(2):
        await post.deliver(mail_id, AT, "ann@example.org", CONTENT)
    (path,) = folder.iterdir()
    assert re.fullmatch(r"\d{8}T\d{12}Z-[a-z2-7]{20}\.eml", path.name)
    assert (folder.stat().st_mode & 0o777, path.stat().st_mode & 0o777) == (0o700, 0o600)
    letter = message_from_bytes(path.read_bytes(), policy=policy.default)
    assert TEXT in path.read_text()
    assert (letter["To"], letter["Subject"], letter.get_content().strip()) == ("ann@example.org", CONTENT.subject, TEXT)


async def test_only_the_newest_mail_files_are_kept_and_other_files_are_untouched(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail, "MOST_KEPT", 3)
    (tmp_path / "kept.eml").touch()
    post = Mail(replace(settings, mail_folder=tmp_path))
    for number in range(5):
        await post.deliver(ids.new(MESSAGE_ID), AT + number, f"person{number}@example.org", CONTENT)
    assert (tmp_path / "kept.eml").exists()
    held = [path.read_text() for path in sorted(tmp_path.glob("2*.eml"))]
    assert [re.findall(r"person(\d)", text) for text in held] == [["2"], ["3"], ["4"]]


async def test_a_folder_that_cannot_be_written_is_an_error_that_can_be_tried_again(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "mail").touch()
    with pytest.raises(OSError):
        await Mail(replace(settings, mail_folder=tmp_path / "mail")).deliver("msg_abc", AT, "ann@example.org", CONTENT)


def test_the_folder_is_beside_the_database_unless_it_is_set() -> None:
    def folder(**variables: str) -> Path:
        return Settings.load({f"KEYDESK_{name}": value for name, value in variables.items()}).mail_path

    assert folder() == folder(DATABASE_URL="postgresql:///keydesk") == Path("var/mail")
    assert folder(DATABASE_URL="sqlite:////srv/keydesk.db") == Path("/srv/mail")
    assert folder(MAIL_FOLDER="/srv/post") == Path("/srv/post")


def test_the_text_of_a_link_is_the_origin_and_the_path(settings: Settings) -> None:
    assert mail.Mail(settings).link("/set-up/x") == f"{settings.origin}/set-up/x"
    assert mail.Mail(replace(settings, public_url="https://keys.example.com")).link("/a") == "https://keys.example.com/a"
