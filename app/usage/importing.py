"""Reports the requests of an access log, each once, however often the log is imported and whatever happens meanwhile.

A log is recognized by its first request, also under another name or compressed. It is reported in batches, each under the number of
the line with which it begins; the batch and its counts are committed together. So the last batch says how far a log was imported,
and of two processes that import the same log, only one has each batch counted.

Batches are remembered for longer than a request may be reported after it, so a log can never be counted again.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from app.errors import Unavailable
from app.usage import access_log, report_store, reports
from app.usage import log as usage_log
from app.usage.log_file import LogFile
from app.usage.reports import Event, Fault

MOST_LISTED: Final = 100
# Each batch is a transaction, for which verifications on SQLite wait: five times the work takes hardly longer.
BATCH: Final = 5_000
_PATIENCE_SECONDS: Final = 60.0
_PAUSE_SECONDS: Final = 0.1

Entry = tuple[int, Event | Fault]


@dataclass
class Imported:
    """What became of the lines of a log. `earlier`: reported before, or meanwhile by another process; `left_out`: requests that
    Keydesk was not asked about, refused, or counted at once; `faults`: the first MOST_LISTED of `rejected`, by line."""

    lines: int = 0
    earlier: int = 0
    left_out: int = 0
    succeeded: int = 0
    failed: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    faults: dict[int, Fault] = field(default_factory=dict)
    complete: bool = True

    def count(self, entries: list[Entry], answer: dict[str, Any]) -> None:
        refused = {each["index"]: Fault(each["code"], each["message"]) for each in answer["rejected"]}
        for index, (number, event) in enumerate(entries):
            if index in refused:
                self.reject(number, refused[index])
            elif isinstance(event, Event) and reports.is_success(event):
                self.succeeded += 1
            else:
                self.failed += 1

    def reject(self, number: int, fault: Fault) -> None:
        self.rejected[fault.code] += 1
        if len(self.faults) < MOST_LISTED:
            self.faults[number] = fault


async def take(log: LogFile, moved: Callable[[], None]) -> Imported:
    """Reports what was not reported yet; calls `moved` when `log.position` has changed. Raises Unavailable; it can be repeated."""
    found, identity = Imported(), _identity(log)
    if identity is None:
        for number, event in _entries(log, 1, found):
            if isinstance(event, Fault):
                found.reject(number, event)
    else:
        start, known = await _position(identity)
        await _report(identity, _entries(log, start, found), known, found, moved)
        found.earlier += min(start - 1, found.lines)
    found.complete = log.complete
    moved()
    return found


async def _report(identity: str, entries: Iterator[Entry], known: int, found: Imported, moved: Callable[[], None]) -> None:
    """`known`: how many entries are reported already."""
    while batch := list(islice(entries, min(known, BATCH) if known else BATCH)):
        if known:
            known -= len(batch)
            found.earlier += len(batch)
            continue
        while batch:
            answer = await _reported(identity, batch)
            if not answer["duplicate"]:
                found.count(batch, answer)
                break
            # Another process was first; the log may have been shorter or longer then.
            known = answer["accepted"] + len(answer["rejected"])
            found.earlier += len(batch[:known])
            batch, known = batch[known:], max(0, known - len(batch))
        moved()


async def _reported(identity: str, batch: list[Entry]) -> dict[str, Any]:
    """The answer to a batch, which is sent again while the database is busy."""
    batch_id, events = str(uuid.UUID(int=batch[0][0])), [event for _, event in batch]
    until = asyncio.get_running_loop().time() + _PATIENCE_SECONDS
    while True:
        try:
            # Before the report, whose own patience is that of a request.
            await usage_log.current().wait_turn(usage_log.MANY_USES)
            return await reports.take(identity, None, batch_id, events, usage_log.MANY_USES)
        except Unavailable:
            if asyncio.get_running_loop().time() > until:
                raise
            await asyncio.sleep(_PAUSE_SECONDS)


async def _position(identity: str) -> tuple[int, int]:
    """The line with which the last batch begins, and the number of its entries."""
    last = await report_store.last_batch(identity)
    if last is None:
        return 1, 0
    answer = json.loads(last[1])
    return uuid.UUID(last[0]).int, answer["accepted"] + len(answer["rejected"])


def _identity(log: LogFile) -> str | None:
    """A digest of the log up to its first request that Keydesk knows, whose id no other log contains; None without one."""
    digest = hashlib.sha256()
    for raw in log.lines():
        digest.update(raw)
        line = access_log.line_of(raw)
        if line is not None and line.request_id:
            return f"log_{base64.b32encode(digest.digest())[:20].decode().lower()}"
    return None


def _entries(log: LogFile, start: int, found: Imported) -> Iterator[Entry]:
    """What is to be reported from a line on, with the numbers of the lines."""
    for number, raw in enumerate(log.lines(), 1):
        found.lines = number
        if number < start:
            continue
        event = access_log.event_of(access_log.line_of(raw))
        if event is None:
            found.left_out += 1
        else:
            yield number, event
