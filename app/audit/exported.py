"""Checks an export of JSON lines without the database: with the pepper that it was made under."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from app import clock
from app.access.actor import ActorKind, ActorRef, Request
from app.audit.checking import ALTERED, MISSING, NOT_AS_NOTED, NOT_THE_HEAD, Ends
from app.audit.entry import Entry, Linked
from app.audit.export import FORMAT, PURPOSE
from app.audit.sealing import derived_key, is_seal_of, unsealed
from app.errors import StartRefused
from app.peppers.pepper import WRAPPED_BYTES, unwrapped

OUT_OF_PLACE: Final = "was added or moved, or what was before it was removed"
CUT: Final = "the export was cut off after it"


@dataclass(frozen=True, slots=True)
class ExportFault:
    """The first fault of an export: its line, and the position of the entry in the chain if it is about one."""

    line: int
    position: int | None
    what: str

    def __str__(self) -> str:
        return f"line {self.line}" + ("" if self.position is None else f", entry {self.position}") + f": {self.what}"


@dataclass(frozen=True, slots=True)
class Heading:
    """What the first line says: `complete` if no filter left entries out."""

    chain: str
    workspace: str
    length: int
    head: bytes
    complete: bool
    wrapped_key: bytes


@dataclass(slots=True)
class _ReadState:
    """Where reading is: the last line, the last entry's position and MAC, the last seal, and how many entries were read."""

    line: int
    seal: bytes
    position: int = 0
    mac: bytes = b""
    count: int = 0
    ended: bool = False

    def fault(self, what: str, position: int | None = None) -> ExportFault:
        return ExportFault(self.line, position, what)


def heading_of(line: str) -> Heading:
    """Raises StartRefused if this is not the first line of an export of JSON lines."""
    try:
        fields = json.loads(line)
        if fields["format"] != FORMAT or len(fields["wrappedKey"]) != 2 * WRAPPED_BYTES:
            raise ValueError
        return Heading(
            str(fields["chain"]), str(fields["workspace"]), int(fields["length"]), bytes.fromhex(fields["head"]),
            fields["filter"] == {}, bytes.fromhex(fields["wrappedKey"]),
        )  # fmt: skip
    except (ValueError, KeyError, TypeError):
        raise StartRefused("This is no export of the audit log as JSON lines, or its first line was changed.") from None


def check(lines: Iterable[str], peppers: Sequence[bytes], ends: Mapping[str, Ends]) -> tuple[Heading, int, ExportFault | None]:
    """The heading, how many entries are sound, and the first fault. `ends`: those of chains, as the database's check takes them.

    Raises StartRefused for something else than an export, and for one that was made under another pepper.
    """
    rest = iter(lines)
    first = next(rest, "").rstrip("\n")
    heading = heading_of(first)
    key, seal = _key_of(heading, first, peppers)
    state = _ReadState(1, seal)
    for line in rest:
        state.line += 1
        if (fault := _read(line.rstrip("\n"), state, heading, key, ends.get(heading.chain, {}))) is not None:
            return heading, state.count, fault
    return heading, state.count, _fault_at_end(state, heading)


def _key_of(heading: Heading, first: str, peppers: Sequence[bytes]) -> tuple[bytes, bytes]:
    """The chain's key, and the seal of the first line, which it fits."""
    parts = unsealed(first)
    for pepper in peppers if parts else ():
        key = unwrapped(heading.wrapped_key, heading.chain, pepper)
        if parts and is_seal_of(*parts, derived_key(key, PURPOSE)):
            return key, parts[1]
    raise StartRefused(
        "The first line was changed, or the export was made under another pepper. Set KEYDESK_PEPPER_FILE to that one."
    )


def _read(line: str, state: _ReadState, heading: Heading, key: bytes, ends: Ends) -> ExportFault | None:
    """Moves on by a line, or returns what is wrong with it."""
    parts, previous = unsealed(line), state.seal
    fields = _object(line)
    if parts is None or fields is None:
        return state.fault("this line cannot be read", state.position + 1)
    sealed = is_seal_of(*parts, derived_key(key, PURPOSE), previous)
    state.seal = parts[1]
    if state.ended or "end" in fields:
        return _end(fields, state, sealed)
    linked = _entry(fields, heading.chain)
    if linked is None or linked.entry.mac != linked.entry.expected_mac(linked.previous, key):
        position = state.position + 1 if linked is None else linked.entry.position
        return state.fault(ALTERED, position)
    entry = linked.entry
    if heading.complete and entry.position > state.position + 1:
        return state.fault(MISSING, state.position + 1)
    follows = entry.position > state.position and (entry.position > state.position + 1 or linked.previous == state.mac)
    if not sealed or not follows:
        return state.fault(OUT_OF_PLACE, entry.position)
    if ends.get(entry.position) not in (None, entry.mac):
        return state.fault(NOT_AS_NOTED, entry.position)
    state.position, state.mac, state.count = entry.position, entry.mac, state.count + 1
    return None


def _end(fields: dict[str, Any], state: _ReadState, sealed: bool) -> ExportFault | None:
    if state.ended:
        return state.fault("this line follows the last one")
    state.ended = True
    if sealed and fields.get("entries") == state.count:
        return None
    return state.fault(
        f"the last line was changed, or entries before it are missing, after entry {state.position}", state.position + 1
    )


def _fault_at_end(state: _ReadState, heading: Heading) -> ExportFault | None:
    if not state.ended:
        return state.fault(CUT, state.position)
    if heading.complete and state.position < heading.length:
        return state.fault(MISSING, state.position + 1)
    if heading.complete and state.mac != heading.head:
        return state.fault(NOT_THE_HEAD, state.position)
    return None


def _object(line: str) -> dict[str, Any] | None:
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return fields if isinstance(fields, dict) else None


def _entry(fields: dict[str, Any], chain: str) -> Linked | None:
    """The entry of a line; None if a field is missing or has another type."""
    try:
        actor = fields["actor"]
        entry = Entry(
            id=fields["id"],
            chain=chain,
            position=int(fields["position"]),
            at=clock.microseconds(datetime.fromisoformat(fields["at"])),
            actor=ActorRef(ActorKind(actor["kind"]), actor["id"], actor["name"]),
            action=fields["action"],
            target=fields["target"],
            detail=fields["detail"],
            request=Request(fields["address"], fields["userAgent"], fields["requestId"]),
            mac=bytes.fromhex(fields["mac"]),
        )
        return Linked(entry, bytes.fromhex(fields["previousMac"]))
    except (ValueError, KeyError, TypeError):
        return None
