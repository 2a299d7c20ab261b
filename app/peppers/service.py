"""Reads the pepper, and refuses to start with a wrong one, because then every key would look unknown."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from app import runtime
from app.errors import StartRefused
from app.peppers import store
from app.peppers.pepper import MINIMUM_BYTES, Pepper, Peppers
from app.settings import Settings

_log = logging.getLogger("keydesk.peppers")


@dataclass(frozen=True, slots=True)
class ConfiguredPeppers:
    """The peppers of the settings, and the file that the current one was read from, if it was one."""

    current: bytes = field(repr=False)
    previous: bytes | None = field(default=None, repr=False)
    file: Path | None = None


def current() -> Peppers:
    """The peppers of this process. Raises RuntimeError while Keydesk is not open."""
    return runtime.current(Peppers)


def read(settings: Settings) -> ConfiguredPeppers:
    """Raises StartRefused if there is no current pepper, or one is too short.

    With SQLite a pepper file is created next to the database at the first start.
    """
    previous = _checked(settings.pepper_previous, "KEYDESK_PEPPER_PREVIOUS") if settings.pepper_previous else None
    if settings.pepper is not None:
        return ConfiguredPeppers(_checked(settings.pepper, "KEYDESK_PEPPER"), previous)
    path = settings.pepper_file or _beside_database(settings)
    try:
        return ConfiguredPeppers(_checked(path.read_text(encoding="utf-8"), str(path)), previous, path)
    except (OSError, UnicodeDecodeError) as error:
        raise StartRefused(f"The pepper cannot be read: {error}") from None


def given(settings: Settings) -> tuple[bytes, ...]:
    """The peppers of the settings, the current one first, without the database and without making a file. Raises StartRefused."""
    file = file_of(settings)
    if settings.pepper is None and (file is None or not file.exists()):
        raise StartRefused("There is no pepper: set KEYDESK_PEPPER or KEYDESK_PEPPER_FILE.")
    configured = read(settings)
    return tuple(value for value in (configured.current, configured.previous) if value is not None)


def file_of(settings: Settings) -> Path | None:
    """The file that holds the pepper; None if KEYDESK_PEPPER does."""
    if settings.pepper is not None or settings.pepper_file is not None:
        return settings.pepper_file
    return settings.sqlite_path.with_name("pepper") if settings.sqlite_path else None


async def identify(configured: ConfiguredPeppers) -> Peppers:
    """Gives each pepper its version; call inside a transaction. Raises StartRefused if the database knows neither, or
    has gone on to one that is not given.

    A pepper the database has never seen is taken for a new database, or beside one it knows: while a pepper is being
    changed on several nodes, each is first started with the new one as the "previous", then with the two exchanged.
    """
    known = await store.versions()
    values = [value for value in (configured.current, configured.previous) if value is not None]
    fingerprints = [Pepper(0, value).fingerprint for value in values]
    if known and not any(fingerprint in known for fingerprint in fingerprints):
        raise StartRefused("Wrong pepper: this database was made with another one. Restore it; without it no key verifies.")
    wrapping = await store.wrapping()
    if wrapping is not None and wrapping not in {known.get(fingerprint) for fingerprint in fingerprints}:
        raise StartRefused(superseded_message(wrapping))
    newest, *older = [Pepper(await _version(mark, known), value) for mark, value in zip(fingerprints, values, strict=True)]
    return Peppers(newest, older[0] if older else None, configured.file)


async def watch() -> None:
    """Logs an error if the pepper file is gone or holds another pepper: this process works, but the next start would fail."""
    file = current().file
    if file is not None and not await asyncio.to_thread(_holds, file):
        _log.error("%s no longer holds the pepper of this process: put it back, or the next start is refused", file)


def superseded_message(version: int) -> str:
    """The error for a pepper that is no longer current."""
    return f"Wrong pepper: this database has gone on to another one (version {version}). Without that one no key verifies."


async def is_known() -> bool:
    """Whether the pepper of this process is still the database's current one. Raises Unavailable."""
    if current().current.fingerprint not in await store.versions():
        return False
    wrapping = await store.wrapping()
    return wrapping is None or wrapping in {pepper.version for pepper in current().all}


async def _version(fingerprint: bytes, known: dict[bytes, int]) -> int:
    if fingerprint not in known:
        known[fingerprint] = max(known.values(), default=0) + 1
        await store.add(known[fingerprint], fingerprint)
    return known[fingerprint]


def _checked(text: str, where: str) -> bytes:
    value = text.removesuffix("\n").removesuffix("\r").encode()
    if len(value) < MINIMUM_BYTES:
        raise StartRefused(f"The pepper in {where} is shorter than {MINIMUM_BYTES} bytes. Make one: openssl rand -base64 48")
    return value


def _holds(path: Path) -> bool:
    """Whether the file contains one of this process's peppers."""
    try:
        value = _checked(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError, StartRefused):
        return False
    return any(pepper.value == value for pepper in current().all)


def _beside_database(settings: Settings) -> Path:
    if settings.sqlite_path is None:
        raise StartRefused("With PostgreSQL set KEYDESK_PEPPER or KEYDESK_PEPPER_FILE. Make one: openssl rand -base64 48")
    path = settings.sqlite_path.with_name("pepper")
    # Only a database that does not exist yet gets a new pepper: for an existing one it would invalidate every key.
    if not path.exists() and not _has_data(settings.sqlite_path):
        _make(path)
    return path


def _has_data(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        # Linked into place when complete, so that neither a crash nor a second process leaves or sees half a pepper.
        half = path.with_name(f".pepper.{os.getpid()}")
        descriptor = os.open(half, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        try:
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_urlsafe(48) + "\n")
                file.flush()
                os.fsync(file.fileno())
            os.link(half, path)
        finally:
            half.unlink()
