"""The lines of the revocation journal, and what a file of them says."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from app import clock

Revoked = tuple[str, int, str]
# Everything before this line is no longer replayed: somebody wanted the old state.
FORGOTTEN: Final = "forgotten"
# How long an audit chain was and what its head was; and from where on the anchors before no longer hold.
ANCHOR: Final = "audit"
RESTORED: Final = "audit.restored"
# What is said of one thing, of which the line that comes last in the file counts.
SUBJECTS: Final = (
    ("key.suspended", "key.resumed"),
    ("workspace.suspended", "workspace.resumed"),
    ("member.removed", "member.joined", "member.role_changed"),
    ("management_key.revoked",),
    ("gateway_token.revoked",),
    # A link that is made ends the one before.
    ("calendar_link.withdrawn", "calendar_link.made"),
)
# Actions of the audit log that take something away other than an API key, or give it back.
TAKEN: Final = tuple(sorted(kind for kinds in SUBJECTS for kind in kinds))
# The place in SUBJECTS, the thing, and its chain.
Subject = tuple[int, str, str]


@dataclass(frozen=True, slots=True)
class Taken:
    """Something other than an API key was taken away, or given back: an action of the audit log, on a target of a chain."""

    kind: str
    id: str
    chain: str
    at: int
    role: str | None = None


@dataclass(slots=True)
class Contents:
    """What a file says: revoked keys by id, the rest in its order, and the farthest anchor of each audit chain.

    `forgotten` counts the lines that void what is before. `fresh` are the ids of lines that no replay has asked the database about.
    """

    keys: dict[str, tuple[int, str]] = field(default_factory=dict)
    taken: dict[Taken, None] = field(default_factory=dict)
    anchors: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    forgotten: int = 0
    fresh: dict[str, None] = field(default_factory=dict)

    def read(self, line: bytes) -> None:
        """A line that a crash cut short, or that is not ours, is passed over."""
        with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
            entry = json.loads(line)
            if "kind" not in entry:
                self.keys[entry["key"]] = (_instant(entry["revokedAt"]), str(entry.get("reason")))
                self.fresh[entry["key"]] = None
            elif entry["kind"] == FORGOTTEN:
                self.keys, self.taken, self.anchors, self.fresh, self.forgotten = {}, {}, {}, {}, self.forgotten + 1
            elif entry["kind"] == RESTORED:
                self.anchors = {}
            elif entry["kind"] == ANCHOR:
                self._anchor(entry["chain"], int(entry["length"]), bytes.fromhex(entry["head"]))
            elif entry["kind"] in TAKEN:
                taken = Taken(entry["kind"], entry["id"], entry["chain"], _instant(entry["at"]), entry.get("role"))
                # One that is written again is said again, after all that stands before.
                self.taken.pop(taken, None)
                self.taken[taken] = None
                self.fresh[entry["id"]] = None

    def _anchor(self, chain: str, length: int, head: bytes) -> None:
        """Each entry's MAC covers all before it, so the farthest one speaks for the others."""
        if length > self.anchors.get(chain, (0, b""))[0]:
            self.anchors[chain] = (length, head)


def subject(taken: Taken) -> Subject:
    """What a line is about: of lines about the same thing the last one counts."""
    return next(number for number, kinds in enumerate(SUBJECTS) if taken.kind in kinds), taken.id, taken.chain


def lacking(there: Iterable[Taken], known: Container[Taken]) -> list[Taken]:
    """Those of `there` that are not `known`, and what was said of the same things after them: it stays the last word."""
    behind: set[Subject] = set()
    found = []
    for taken in there:
        if taken not in known or subject(taken) in behind:
            behind.add(subject(taken))
            found.append(taken)
    return found


def key_line(revoked: Revoked) -> dict[str, Any]:
    key, at, reason = revoked
    return {"key": key, "revokedAt": clock.rfc3339(at), "reason": reason}


def line_of(taken: Taken) -> dict[str, Any]:
    line = {"kind": taken.kind, "id": taken.id, "chain": taken.chain, "at": clock.rfc3339(taken.at)}
    return line | {"role": taken.role} if taken.role else line


def _instant(text: str) -> int:
    return clock.from_datetime(datetime.fromisoformat(text))
