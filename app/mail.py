"""Hands e-mails to the mail server, one attempt at a time; what waits for its attempt is in the outbox (`outbox/mails.py`).

Without KEYDESK_SMTP_URL every mail becomes a file in a directory that only this process's user may read; links are then
passed on by hand. Neither texts nor links are ever logged.
"""

from __future__ import annotations

import asyncio
import os
import re
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

import aiosmtplib

from app import clock, ids, runtime
from app.settings import Settings

TIMEOUT_SECONDS: Final = 20.0
# How many e-mails the directory keeps, the newest ones.
MOST_KEPT: Final = 1_000
_OURS: Final = re.compile(rf"\d{{8}}T\d{{12}}Z-[{ids.ALPHABET}]{{20}}\.eml")


@dataclass(frozen=True, slots=True)
class EmailContent:
    subject: str
    text: str


class Refused(Exception):
    """The server will never take this mail, or nobody could ever send it."""


class Mail:
    """The outgoing mail of one process. `is_active`: whether this node sends at all; one that only verifies may have no way out."""

    def __init__(self, settings: Settings) -> None:
        self._server = urlsplit(settings.smtp_url) if settings.smtp_url else None
        self._folder = settings.mail_path
        self._sender = settings.mail_from
        self._origin = settings.origin
        self.is_active = settings.role != "verify"

    @property
    def configured(self) -> bool:
        """Whether a mail server is configured."""
        return self._server is not None

    def link(self, path: str) -> str:
        """The URL of one of our pages: its host comes from the settings, never from a request."""
        return self._origin + path

    async def deliver(self, mail_id: str, at: int, to: str, content: EmailContent) -> None:
        """One attempt; returns when the server, or the directory, has it. Raises Refused, SMTPException or OSError.

        `mail_id` and `at`, the instant when it was written, are the same for every attempt: an e-mail that arrives twice has one
        Message-ID, and one file.
        """
        try:
            # 8bit in a file, so that it is readable and its links are not wrapped.
            message = _message(self._sender, mail_id, to, content, encoding=None if self._server else "8bit")
            if self._server is None:
                await asyncio.to_thread(_put, self._folder, _file_name(mail_id, at), message)
            else:
                await _hand_over(self._server, message)
        except (ValueError, LookupError) as failure:
            raise Refused(type(failure).__name__) from None
        except aiosmtplib.SMTPResponseException as failure:
            if 500 <= failure.code <= 599:
                raise Refused(f"{type(failure).__name__} {failure.code}") from None
            raise
        except aiosmtplib.SMTPRecipientsRefused as failure:
            if all(500 <= each.code <= 599 for each in failure.recipients):
                raise Refused(type(failure).__name__) from None
            raise


def current() -> Mail:
    """The mail of this process. Raises RuntimeError while Keydesk is not open."""
    return runtime.current(Mail)


def _message(sender: str, mail_id: str, to: str, content: EmailContent, *, encoding: str | None) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, to, content.subject
    message["Message-ID"] = f"<{mail_id}@{sender.rpartition('@')[2].strip('> ')}>"
    # Prevents automatic replies (RFC 3834).
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(content.text, cte=encoding)
    return message


def _file_name(mail_id: str, at: int) -> str:
    return f"{clock.to_datetime(at):%Y%m%dT%H%M%S%fZ}-{mail_id.partition('_')[2]}.eml"


def _put(folder: Path, name: str, message: EmailMessage) -> None:
    """A file `‹time›-‹id›.eml`, complete or not there; the oldest ones beyond the limit are deleted, only files with such names."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    part = folder / f".{name}.{os.getpid()}"
    descriptor = os.open(part, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(message.as_bytes())
    part.replace(folder / name)
    for old in sorted(path for path in folder.iterdir() if _OURS.fullmatch(path.name))[:-MOST_KEPT]:
        old.unlink(missing_ok=True)


async def _hand_over(server: SplitResult, message: EmailMessage) -> None:
    """One try. With a user name and password the connection must be encrypted; without them it is if the server supports it."""
    await aiosmtplib.send(
        message,
        hostname=server.hostname or "localhost",
        port=server.port,
        username=unquote(server.username) if server.username else None,
        password=unquote(server.password) if server.password else None,
        use_tls=server.scheme == "smtps",
        start_tls=True if server.username and server.scheme == "smtp" else None,
        timeout=TIMEOUT_SECONDS,
    )
