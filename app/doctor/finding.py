"""One line of the output of `doctor`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """`fail`: a guarantee is broken or about to break. `warn`: worth knowing, but may be intended."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """`what`: the subject, in a word or two; `text`: its state and, if that is wrong, what to do."""

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
    """Ok with `text` if `fine`; else a failure whose text also contains `otherwise`."""
    return ok(what, text) if fine else fail(what, f"{text}: {otherwise}")
