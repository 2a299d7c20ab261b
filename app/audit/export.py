"""The audit log as a file: CSV for spreadsheets, or JSON lines that `keydesk audit verify --file` checks without the database."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any, Final, Protocol

from app import clock
from app.audit.entry import EntryFilter, Linked
from app.audit.sealing import derived_key, sealed
from app.downloads import Format, csv_row

FORMAT: Final = "keydesk audit export 1"
PURPOSE: Final = "export"
COLUMNS: Final = (
    "position", "at", "actorKind", "actorId", "actorName", "action", "target", "detail", "address", "userAgent", "requestId", "mac",
)  # fmt: skip


class Writer(Protocol):
    """Turns entries, oldest first, into the text of a file."""

    def begin(self) -> str: ...

    def line(self, linked: Linked) -> str: ...

    def end(self) -> str: ...


class CsvWriter:
    """One row for each entry. Cells that a spreadsheet would take for a formula begin with an apostrophe."""

    def begin(self) -> str:
        return csv_row(COLUMNS)

    def line(self, linked: Linked) -> str:
        entry = linked.entry
        cells = (
            str(entry.position), clock.rfc3339(entry.at), entry.actor.kind, entry.actor.id, entry.actor.name, entry.action,
            entry.target, _json(entry.detail), entry.request.address, entry.request.user_agent, entry.request.request_id,
            entry.mac.hex(),
        )  # fmt: skip
        return csv_row(cells)

    def end(self) -> str:
        return ""


class JsonLinesWriter:
    """A heading, one line for each entry with its MAC and the one before it, and a last line. Each line's seal covers all lines
    before it, so that none can be changed, added, removed or moved, even if a filter left entries out."""

    def __init__(self, key: bytes, heading: dict[str, Any]) -> None:
        self._key, self._seal = derived_key(key, PURPOSE), b""
        self._heading, self._count = heading, 0

    def begin(self) -> str:
        return self._line(self._heading)

    def line(self, linked: Linked) -> str:
        self._count += 1
        return self._line(fields_of(linked))

    def end(self) -> str:
        return self._line({"end": True, "entries": self._count})

    def _line(self, fields: dict[str, Any]) -> str:
        text, self._seal = sealed(fields, self._key, self._seal)
        return text + "\n"


def heading(chain: str, slug: str, at: int, filter: EntryFilter, length: int, head: bytes, wrapped_key: bytes) -> dict[str, Any]:
    """The first line: whose log it is and how long, what was asked for, and the chain's key, which only the pepper unwraps."""
    given = {name: value for name, value in asdict(filter).items() if value not in (None, "")}
    for name in given.keys() & {"since", "until"}:
        given[name] = clock.rfc3339(given[name])
    return {
        "format": FORMAT,
        "workspace": slug,
        "chain": chain,
        "exportedAt": clock.rfc3339(at),
        "filter": given,
        "length": length,
        "head": head.hex(),
        "wrappedKey": wrapped_key.hex(),
    }


def fields_of(linked: Linked) -> dict[str, Any]:
    entry = linked.entry
    return {
        "position": entry.position,
        "id": entry.id,
        "at": clock.rfc3339(entry.at),
        "actor": {"kind": entry.actor.kind, "id": entry.actor.id, "name": entry.actor.name},
        "action": entry.action,
        "target": entry.target,
        "detail": entry.detail,
        "address": entry.request.address,
        "userAgent": entry.request.user_agent,
        "requestId": entry.request.request_id,
        "previousMac": linked.previous.hex(),
        "mac": entry.mac.hex(),
    }


def _json(detail: dict[str, Any]) -> str:
    return json.dumps(detail, ensure_ascii=False, sort_keys=True)


def file_name(slug: str, at: int, form: Format) -> str:
    """`acme-audit-2026-11-29.csv`."""
    return f"{slug}-audit-{clock.rfc3339(at)[:10]}.{form}"
