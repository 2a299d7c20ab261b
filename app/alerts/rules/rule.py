"""A rule: what it is called, how it decides, and what people can do about its alerts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from app.access.policy import Action
from app.alerts.alert import Kind
from app.alerts.situation import Finding, Situation


@dataclass(frozen=True, slots=True)
class Remedy:
    """What can be done about an alert: a page of the key, and the action that using it requires."""

    label: str
    path: str
    action: Action


ROTATE: Final = Remedy("Rotate", "rotation", Action.ROTATE_API_KEY)
RESTRICT: Final = Remedy("Restrict", "edit", Action.UPDATE_API_KEY)
EXTEND: Final = Remedy("Extend", "edit", Action.UPDATE_API_KEY)
SUSPEND: Final = Remedy("Suspend", "suspension", Action.SUSPEND_API_KEY)
FINISH: Final = Remedy("Finish rotation", "rotation", Action.COMPLETE_ROTATION)
RESUME: Final = Remedy("Resume", "suspension", Action.RESUME_API_KEY)
REVOKE: Final = Remedy("Revoke", "revocation", Action.REVOKE_API_KEY)
ON_USE: Final = (RESTRICT, ROTATE, SUSPEND, REVOKE)


@dataclass(frozen=True, slots=True)
class Rule:
    """`evaluate` is None for rules about dates, which the database finds (`conditions.py`). `sentence` says what was found, as a
    template over the evidence and the baseline; `expectation` what "expected" teaches. `may_suspend`: whether the rule can be
    set to suspend keys by itself."""

    kind: Kind
    title: str
    sentence: str
    remedies: tuple[Remedy, ...]
    evaluate: Callable[[Situation], Finding | None] | None = None
    expectation: str = ""
    may_suspend: bool = False
