"""The revocation journal: every revocation once more, in a file outside the database, so that no restore brings a key back.

One JSON line each, `{"key": "key_…", "revokedAt": "…Z", "reason": "…"}`, fsynced before the revocation is answered.
Several processes append to it; what one of them could not write, `catch_up` adds later from the database.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from datetime import datetime
from pathlib import Path

from app import clock
from app.keys import store

Revoked = tuple[str, int, str]
_OVERLAP = 10 * clock.MINUTE
_log = logging.getLogger("keydesk.journal")


class Journal:
    """`failing` is why the file could not be written the last time; None while all is well."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.failing: str | None = None
        self._caught_up_to = 0

    async def append(self, revoked: list[Revoked]) -> None:
        """Written and fsynced when this returns. A failure is remembered, not raised: the revocation stands."""
        try:
            await asyncio.to_thread(_write, self.path, revoked)
            self.failing = None
        except OSError as error:
            self._fail(error)

    async def catch_up(self) -> int:
        """Adds what the file lacks of the database's revocations; answers how many that were."""
        since = max(0, self._caught_up_to - _OVERLAP)
        revoked = await store.revoked_since(since)
        try:
            known = await asyncio.to_thread(read, self.path)
        except OSError as error:
            self._fail(error)
            return 0
        lacking = [entry for entry in revoked if entry[0] not in known]
        # Also with nothing to add: a file that cannot be written is found before the revocation that needs it.
        await self.append(lacking)
        if self.failing is None and revoked:
            self._caught_up_to = revoked[-1][1]
        return len(lacking)

    def _fail(self, error: OSError) -> None:
        self.failing = f"{self.path}: {error.strerror}"
        _log.error("the revocation journal cannot be written: %s", self.failing)


def read(path: Path) -> dict[str, int]:
    """Key id → instant of revocation; a line that a crash cut short is passed over."""
    found: dict[str, int] = {}
    if not path.exists():
        return found
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            try:
                entry = json.loads(line)
                found[entry["key"]] = clock.from_datetime(datetime.fromisoformat(entry["revokedAt"]))
            except (ValueError, KeyError, TypeError):
                continue
    return found


def _write(path: Path, revoked: list[Revoked]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps({"key": key, "revokedAt": clock.rfc3339(at), "reason": reason}) + "\n" for key, at, reason in revoked]
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_APPEND, 0o600)
    try:
        if lines:
            # One write: appends of several processes do not mix. A crash may have cut the last line short: begin a new one.
            os.write(descriptor, (_newline_first(descriptor) + "".join(lines)).encode())
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _newline_first(descriptor: int) -> str:
    size = os.fstat(descriptor).st_size
    return "\n" if size and os.pread(descriptor, 1, size - 1) != b"\n" else ""


_bound: Journal | None = None


def bind(path: Path) -> Journal:
    global _bound
    _bound = Journal(path)
    return _bound


def current() -> Journal:
    """The journal of this process; RuntimeError before `bind`."""
    if _bound is None:
        raise RuntimeError("the revocation journal is not bound yet")
    return _bound
