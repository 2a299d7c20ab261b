"""What a workspace may be asked to be, and what makes a name: each fault at its field."""

from __future__ import annotations

import re
import unicodedata
import zoneinfo
from dataclasses import replace
from functools import cache
from typing import Final

from app.errors import FieldProblem, ValidationFailed
from app.workspaces.unseen import without_unseen
from app.workspaces.workspace import DAYS, BusinessHours, Workspace

LONGEST_NAME: Final = 100
_OF_THE_MACHINE: Final = frozenset({"localtime", "posixrules", "Factory"})
_CLOCK: Final = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
# Control characters, lone surrogates, line and paragraph separators.
_NOT_IN_A_LINE: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
# Letters without a picture: the fillers of Hangul, and the blank of Braille.
_BLANK: Final = frozenset("\u115f\u1160\u2800\u3164\uffa0")
# What turns the direction of text also around itself (Unicode's bidirectional embeddings, overrides and isolates).
_TURNING: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def in_one_line(text: str) -> bool:
    """Whether `text` holds nothing that breaks a line, a mail's header or a column of text, or turns what stands beside it."""
    return all(unicodedata.category(character) not in _NOT_IN_A_LINE and character not in _TURNING for character in text)


def plain_name(text: str) -> str:
    """As it is stored: in one normal form, without the marks that nobody sees and that make two names look alike."""
    return without_unseen(unicodedata.normalize("NFC", without_unseen(text))).strip()


def _is_seen(text: str) -> bool:
    return any(unicodedata.category(character)[0] not in "CZM" and character not in _BLANK for character in text)


def name_fault(text: str, field: str, missing: str) -> FieldProblem | None:
    """What is wrong with the name of anything, if anything; `missing` is said when there is none."""
    if not _is_seen(text):
        return FieldProblem(field, "REQUIRED", missing)
    if len(plain_name(text)) > LONGEST_NAME:
        return FieldProblem(field, "TOO_LONG", f"At most {LONGEST_NAME} characters, please.")
    if not in_one_line(text):
        message = "A name has no line breaks, control characters, or marks that turn the direction of text."
        return FieldProblem(field, "INVALID", message)
    return None


def workspace_name_fault(text: str, field: str = "name") -> FieldProblem | None:
    return name_fault(text, field, "Give the workspace a name.")


def checked(workspace: Workspace) -> Workspace:
    """Its settings in normal form, days in the week's order. Raises ValidationFailed with every fault."""
    faults = [fault for fault in (workspace_name_fault(workspace.name), _timezone_fault(workspace.timezone)) if fault]
    hours = workspace.business_hours
    faults += _hours_faults(hours) if hours else []
    if faults:
        raise ValidationFailed(*faults)
    ordered = replace(hours, days=tuple(day for day in DAYS if day in hours.days)) if hours else None
    return replace(workspace, name=plain_name(workspace.name), business_hours=ordered)


@cache
def timezones() -> frozenset[str]:
    """The names of the IANA database that this machine has, and that mean the same on every machine."""
    return frozenset((zoneinfo.available_timezones() - _OF_THE_MACHINE) | {"UTC"})


def _timezone_fault(name: str) -> FieldProblem | None:
    if name in timezones():
        return None
    return FieldProblem(
        "timezone", "UNKNOWN", f"There is no time zone {name[:60]!r}; they are called Europe/Berlin, UTC and so on."
    )


def _hours_faults(hours: BusinessHours) -> list[FieldProblem]:
    """Some days, and two times of one day, the second later than the first."""
    faults = []
    if not hours.days or set(hours.days) - set(DAYS):
        faults.append(FieldProblem("businessHours.days", "REQUIRED", "Choose at least one day of the week."))
    for name, text in (("opens", hours.opens), ("closes", hours.closes)):
        if not _CLOCK.fullmatch(text):
            faults.append(FieldProblem(f"businessHours.{name}", "INVALID", "A time of the day is written like 08:00."))
    if not faults and hours.closes <= hours.opens:
        faults.append(FieldProblem("businessHours.closes", "TOO_EARLY", "Choose a time later than the one before it."))
    return faults
