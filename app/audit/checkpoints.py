"""Signed checkpoints: the lengths and heads of all chains, in a file outside the database, once a day and at each stop.

One JSON line each, sealed with a key derived from the pepper. Unlike the anchors in the revocation journal, all of them are kept
and compared, and nobody without the pepper can write one, or void the earlier ones.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from app import clock, database, runtime
from app.audit import store
from app.audit.sealing import is_seal_of, sealed, unsealed
from app.errors import Unavailable
from app.journal.appending import append_lines
from app.peppers import service as peppers
from app.peppers.pepper import Pepper

_PURPOSE: Final = "audit checkpoint"
STOP_SECONDS: Final = 2.0
_log = logging.getLogger("keydesk.audit")


@dataclass(slots=True)
class Contents:
    """What a file says: ends by chain, and how many lines are valid, the newest of them written at `newest`.

    `forged`: numbers of lines whose seal is wrong; `foreign`: how many were sealed under a pepper that is not given.
    """

    ends: dict[str, dict[int, bytes]] = field(default_factory=dict)
    valid: int = 0
    newest: int | None = None
    forged: list[int] = field(default_factory=list)
    foreign: int = 0

    def farthest(self, chain: str) -> int:
        return max(self.ends.get(chain, {0: b""}))


class Checkpoints:
    """The file of this process. `_noted`: when all chains were last looked at for it, or its newest line was written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._noted: int | None = None

    async def contents(self) -> Contents:
        """Raises OSError."""
        return await asyncio.to_thread(read, self.path, peppers.current().all)

    async def is_due(self, now: int) -> bool:
        """Whether a day has passed since the newest checkpoint in the file, whichever process wrote it."""
        if _is_recent(self._noted, now):
            return False
        try:
            self._noted = (await self.contents()).newest
        except OSError:
            return True
        return not _is_recent(self._noted, now)

    async def write(self) -> int:
        """Adds a checkpoint of the chains that are longer than the file says; returns their number. Raises OSError.

        What another pepper sealed does not count: once that one is gone, nobody can check it.
        """
        ends, now = await self.lacking(), await database.now()
        if ends:
            await self._append({"at": clock.rfc3339(now), "chains": {chain: [n, head.hex()] for chain, (n, head) in ends.items()}})
        self._noted = now
        return len(ends)

    async def lacking(self) -> dict[str, tuple[int, bytes]]:
        """The ends of the chains that are longer than the file says. Raises OSError."""
        known = await asyncio.to_thread(read, self.path, [peppers.current().current])
        return {chain: end for chain, end in (await store.ends()).items() if end[0] > known.farthest(chain)}

    async def begin_anew(self) -> None:
        """Voids all earlier checkpoints, because the database is new or was restored. Raises OSError."""
        if (await self.contents()).ends:
            await self._append({"at": clock.rfc3339(await database.now()), "restored": True})

    async def _append(self, fields: dict[str, Any]) -> None:
        pepper = peppers.current().current
        text, _ = sealed(fields | {"pepper": _mark(pepper)}, pepper.derive(_PURPOSE))
        await asyncio.to_thread(append_lines, self.path, [text])


def read(path: Path, known: Sequence[Pepper]) -> Contents:
    """Everything that is sealed under one of these peppers. No file: no contents. Raises OSError."""
    found = Contents()
    if path.exists():
        keys = {_mark(pepper): pepper.derive(_PURPOSE) for pepper in known}
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").split("\n"), 1):
            if line:
                _read(line, number, keys, found)
    return found


async def is_due(now: int) -> bool:
    return await current().is_due(now)


async def write(now: int) -> None:
    """A failure is logged, and reported by `doctor` as a checkpoint that is too old."""
    try:
        await current().write()
    except OSError as error:
        _log.error("no checkpoint of the audit log can be written to %s: %s", current().path, error.strerror)


async def write_at_stop() -> None:
    """Gives up after a while, when the database does not answer; the next start goes on from the checkpoint before."""
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await write(0)
    except (TimeoutError, Unavailable) as failure:
        _log.warning("stopping without a checkpoint of the audit log: %r", failure)


def current() -> Checkpoints:
    """The file of this process. Raises RuntimeError while Keydesk is not open."""
    return runtime.current(Checkpoints)


def _read(line: str, number: int, keys: Mapping[str, bytes], found: Contents) -> None:
    parts, fields = unsealed(line), _fields(line)
    if parts is None or fields is None:
        found.forged.append(number)
    elif fields.get("pepper") not in keys:
        found.foreign += 1
    elif not is_seal_of(*parts, keys[str(fields["pepper"])]):
        found.forged.append(number)
    else:
        found.valid, found.newest = found.valid + 1, clock.microseconds(datetime.fromisoformat(fields["at"]))
        if "restored" in fields:
            found.ends = {}
        for chain, (length, head) in fields.get("chains", {}).items():
            found.ends.setdefault(chain, {})[length] = bytes.fromhex(head)


def _fields(line: str) -> dict[str, Any] | None:
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return fields if isinstance(fields, dict) else None


def _is_recent(noted: int | None, now: int) -> bool:
    return noted is not None and 0 <= now - noted < clock.DAY


def _mark(pepper: Pepper) -> str:
    """Says which pepper sealed a line, without revealing it."""
    return pepper.derive("audit checkpoint mark")[:8].hex()
