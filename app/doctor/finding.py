"""One line of what `doctor` says."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """`fail`: a promise is broken or about to be. `warn`: somebody should know, and may have meant it."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """`what` was looked at, in a word or two; `text` says what it is like and, where it is wrong, what to do."""

    level: Level
    what: str
    text: str


def ok(what: str, text: str) -> Finding:
    return Finding(Level.OK, what, text)


def warn(what: str, text: str) -> Finding:
    return Finding(Level.WARN, what, text)


def fail(what: str, text: str) -> Finding:
    return Finding(Level.FAIL, what, text)


def judged(fine: bool, what: str, text: str, otherwise: str) -> Finding:
    """`text` if it is fine, else a failure that says `otherwise` too."""
    return ok(what, text) if fine else fail(what, f"{text}: {otherwise}")
