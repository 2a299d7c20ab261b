"""The lines of the revocation journal, and how a file of them is read."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from app import clock

RevokedKey = tuple[str, int, str]
# Everything before this line is no longer replayed: the operator chose to keep the old state.
FORGOTTEN: Final = "forgotten"
# The length and head of an audit chain (an anchor); and the line that voids all anchors before it.
ANCHOR: Final = "audit"
RESTORED: Final = "audit.restored"
# Actions about the same target, of which the last line in the file decides.
SUBJECTS: Final = (
    ("key.suspended", "key.resumed"),
    ("workspace.suspended", "workspace.resumed"),
    ("workspace.deleted",),
    ("member.removed", "member.joined", "member.role_changed"),
    ("management_key.revoked",),
    ("gateway_token.revoked",),
    ("operator_key.revoked",),
    # A new link ends the previous one.
    ("calendar_link.withdrawn", "calendar_link.made"),
)
# Audit actions that revoke something other than an API key, or restore it.
ACCESS_EVENTS: Final = tuple(sorted(kind for kinds in SUBJECTS for kind in kinds))
# The place in SUBJECTS, the thing, and its chain.
Subject = tuple[int, str, str]


@dataclass(frozen=True, slots=True)
class AccessChange:
    """Something other than an API key was revoked or restored: an audit action on a target of a chain."""

    kind: str
    id: str
    chain: str
    at: int
    role: str | None = None


@dataclass(slots=True)
class Contents:
    """The contents of a file: revoked keys by id, other lines in file order, and the farthest anchor of each audit chain.

    `forgotten` counts the lines that void earlier ones. `fresh`: ids of lines that no replay has checked against the database.
    """

    keys: dict[str, tuple[int, str]] = field(default_factory=dict)
    access_changes: dict[AccessChange, None] = field(default_factory=dict)
    anchors: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    forgotten: int = 0
    fresh: dict[str, None] = field(default_factory=dict)

    @property
    def suspended_keys(self) -> frozenset[str]:
        """API keys whose last line about it is a suspension."""
        last = {change.id: change.kind for change in self.access_changes if change.kind in SUBJECTS[0]}
        return frozenset(key for key, kind in last.items() if kind == SUBJECTS[0][0])

    def read(self, line: bytes) -> None:
        """Adds a line; truncated and unknown lines are skipped."""
        with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
            entry = json.loads(line)
            if "kind" not in entry:
                self.keys[entry["key"]] = (_instant(entry["revokedAt"]), str(entry.get("reason")))
                self.fresh[entry["key"]] = None
            elif entry["kind"] == FORGOTTEN:
                self.keys, self.access_changes, self.anchors, self.fresh, self.forgotten = {}, {}, {}, {}, self.forgotten + 1
            elif entry["kind"] == RESTORED:
                self.anchors = {}
            elif entry["kind"] == ANCHOR:
                self._anchor(entry["chain"], int(entry["length"]), bytes.fromhex(entry["head"]))
            elif entry["kind"] in ACCESS_EVENTS:
                change = AccessChange(entry["kind"], entry["id"], entry["chain"], _instant(entry["at"]), entry.get("role"))
                # A line that is written again counts again, after all earlier ones.
                self.access_changes.pop(change, None)
                self.access_changes[change] = None
                self.fresh[entry["id"]] = None

    def _anchor(self, chain: str, length: int, head: bytes) -> None:
        """Each entry's MAC covers all entries before it, so the farthest anchor implies the others."""
        if length > self.anchors.get(chain, (0, b""))[0]:
            self.anchors[chain] = (length, head)


def subject(change: AccessChange) -> Subject:
    """The subject of a line: of lines with the same subject the last one decides."""
    return next(number for number, kinds in enumerate(SUBJECTS) if change.kind in kinds), change.id, change.chain


def missing(present: Iterable[AccessChange], known: Container[AccessChange]) -> list[AccessChange]:
    """The lines in `present` that are not `known`, and later lines with the same subjects, so that these still decide."""
    behind: set[Subject] = set()
    found = []
    for change in present:
        if change not in known or subject(change) in behind:
            behind.add(subject(change))
            found.append(change)
    return found


def key_line(revoked: RevokedKey) -> dict[str, Any]:
    key, at, reason = revoked
    return {"key": key, "revokedAt": clock.rfc3339(at), "reason": reason}


def line_of(change: AccessChange) -> dict[str, Any]:
    line = {"kind": change.kind, "id": change.id, "chain": change.chain, "at": clock.rfc3339(change.at)}
    return line | {"role": change.role} if change.role else line


def _instant(text: str) -> int:
    return clock.from_datetime(datetime.fromisoformat(text))
