"""Mail to people, and the addresses in it. Sent in the background: nobody's answer waits for it, fails or tells by it.

Without KEYDESK_SMTP_URL every mail is put into a folder that only this process's user may read, to be looked at there;
links are passed on by hand. Neither a text nor a link is ever logged.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
from collections.abc import Coroutine
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Final
from urllib.parse import SplitResult, unquote, urlsplit

import aiosmtplib

from app import ids, runtime
from app.settings import Settings

PAUSES_SECONDS: Final = (1.0, 10.0, 60.0)
TIMEOUT_SECONDS: Final = 20.0
AT_ONCE: Final = 4
LONGEST_QUEUE: Final = 1_000
LAST_CHANCE_SECONDS: Final = 5.0
# Of the mails in the folder so many are kept, the newest.
MOST_KEPT: Final = 1_000
_OURS: Final = re.compile(rf"\d{{8}}T\d{{12}}Z-[{ids.ALPHABET}]{{20}}\.eml")

_log = logging.getLogger("keydesk.mail")


class Mail:
    """The mail of one process."""

    def __init__(self, settings: Settings) -> None:
        self._server = urlsplit(settings.smtp_url) if settings.smtp_url else None
        self._folder = settings.mail_path
        self._sender = settings.mail_from
        self._origin = settings.origin
        self._jobs: set[asyncio.Task[None]] = set()
        self._slots = asyncio.Semaphore(AT_ONCE)

    @property
    def configured(self) -> bool:
        """Whether mail reaches anybody."""
        return self._server is not None

    def link(self, path: str) -> str:
        """The address of one of our pages as people open it: its host comes from the settings, never from a request."""
        return self._origin + path

    def send(self, to: str, subject: str, text: str) -> None:
        """Queues one mail. It is tried four times within about a minute, then given up with a line in the log.

        Without a server it becomes a file.
        """
        work = self._deliver(self._server, to, subject, text) if self._server is not None else self._keep(to, subject, text)
        self.in_background(work)

    def in_background(self, work: Coroutine[Any, Any, None]) -> None:
        """Does what leads to a mail after the caller's answer; dropped, and logged, when too much waits already."""
        if len(self._jobs) >= LONGEST_QUEUE:
            work.close()
            _log.error("a mail was dropped: %d are waiting already", LONGEST_QUEUE)
            return
        job = asyncio.get_running_loop().create_task(_logged(work))
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)

    async def drain(self) -> None:
        """Until everything queued has been sent or given up."""
        while self._jobs:
            await asyncio.wait(self._jobs)

    async def close(self) -> None:
        """Gives what is queued a last chance; the rest is lost, and logged."""
        try:
            async with asyncio.timeout(LAST_CHANCE_SECONDS):
                await self.drain()
        except TimeoutError:
            _log.error("%d mails were not sent before the end", len(self._jobs))
            for job in self._jobs:
                job.cancel()

    async def _deliver(self, server: SplitResult, to: str, subject: str, text: str) -> None:
        message = _message(self._sender, to, subject, text)
        for pause in PAUSES_SECONDS:
            if await self._tried(server, message):
                return
            await asyncio.sleep(pause)
        async with self._slots:
            await _hand_over(server, message)

    async def _keep(self, to: str, subject: str, text: str) -> None:
        # Readable as it lies there, its links in one piece.
        message = _message(self._sender, to, subject, text, encoding="8bit")
        await asyncio.to_thread(_put, self._folder, message)

    async def _tried(self, server: SplitResult, message: EmailMessage) -> bool:
        """Whether the server took it; the pause before the next try keeps no other mail waiting."""
        try:
            async with self._slots:
                await _hand_over(server, message)
        except (aiosmtplib.SMTPException, OSError) as failure:
            _log.warning("a mail could not be sent, it will be tried again: %s", type(failure).__name__)
            return False
        return True


def current() -> Mail:
    """The mail of this process. Raises RuntimeError while Keydesk is not open."""
    return runtime.current(Mail)


def _message(sender: str, to: str, subject: str, text: str, *, encoding: str | None = None) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, to, subject
    # Answering machines stay silent (RFC 3834).
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text, cte=encoding)
    return message


def _put(folder: Path, message: EmailMessage) -> None:
    """A new file `‹time›-‹id›.eml`; what is too old to be kept goes. Only files with such names are ever touched."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    name = f"{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}-{ids.new('eml').partition('_')[2]}.eml"
    descriptor = os.open(folder / name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(message.as_bytes())
    for old in sorted(path for path in folder.iterdir() if _OURS.fullmatch(path.name))[:-MOST_KEPT]:
        old.unlink(missing_ok=True)


async def _hand_over(server: SplitResult, message: EmailMessage) -> None:
    """One try. With a user name and password the connection must be encrypted; without them it is where the server can."""
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


async def _logged(work: Coroutine[Any, Any, None]) -> None:
    """Whatever goes wrong is told by its kind alone: an error's text may quote the mail or its address."""
    try:
        await work
    except Exception as failure:
        _log.error("a mail was given up: %s", type(failure).__name__)
