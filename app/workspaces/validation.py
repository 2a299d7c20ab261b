"""Validates a workspace's settings: each fault at its field."""

from __future__ import annotations

import contextlib
import importlib.resources
import re
import zoneinfo
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Final

from app.errors import FieldProblem, ValidationFailed
from app.names import name_fault, plain_name
from app.tenancy.workspace import DAYS, MAXIMUM_SLUG, BusinessHours, Workspace, slug_for

_OF_THE_MACHINE: Final = frozenset({"localtime", "posixrules", "Factory"})
_CLOCK: Final = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


def workspace_name_fault(text: str, field: str = "name") -> FieldProblem | None:
    return name_fault(text, field, "Enter a name for the workspace.")


def slug_fault(text: str) -> FieldProblem | None:
    """The fault of a slug that was chosen, if any: it must be one that `slug_for` could make."""
    if slug_for(text) == text:
        return None
    message = f"A slug has lower-case letters, digits and single hyphens between them, {MAXIMUM_SLUG} characters at most."
    return FieldProblem("slug", "INVALID", message)


def checked(workspace: Workspace) -> Workspace:
    """The validated and normalized settings, days in the week's order. Raises ValidationFailed with every fault."""
    faults = [fault for fault in (workspace_name_fault(workspace.name), _timezone_fault(workspace.timezone)) if fault]
    hours = workspace.business_hours
    faults += _hours_faults(hours) if hours else []
    if faults:
        raise ValidationFailed(*faults)
    ordered = replace(hours, days=tuple(day for day in DAYS if day in hours.days)) if hours else None
    return replace(workspace, name=plain_name(workspace.name), business_hours=ordered)


@cache
def timezones() -> frozenset[str]:
    """The IANA time zone names on this machine that mean the same on every machine."""
    return frozenset((zoneinfo.available_timezones() - _OF_THE_MACHINE) | {"UTC"})


@cache
def offered_timezones() -> frozenset[str]:
    """Those of them that people choose from, one for each place. Old names, such as US/East-Indiana, are accepted, not offered."""
    places = {line.split("\t")[2] for line in _places().splitlines() if not line.startswith("#")}
    return frozenset((places & timezones()) | {"UTC"}) if places else timezones()


def _places() -> str:
    """The table of places that comes with the time zones, wherever these are; empty if they come without it."""
    installed = [Path(folder, "zone.tab") for folder in zoneinfo.TZPATH]
    found = next((path for path in installed if path.is_file()), None)
    if found is not None:
        return found.read_text(encoding="utf-8")
    with contextlib.suppress(ModuleNotFoundError, FileNotFoundError):
        return importlib.resources.files("tzdata.zoneinfo").joinpath("zone.tab").read_text(encoding="utf-8")
    return ""


def _timezone_fault(name: str) -> FieldProblem | None:
    if name in timezones():
        return None
    return FieldProblem(
        "timezone", "UNKNOWN", f"There is no time zone {name[:60]!r}; they are called Europe/Berlin, UTC and so on."
    )


def _hours_faults(hours: BusinessHours) -> list[FieldProblem]:
    """Faults unless there is a day, and the closing time is later than the opening time."""
    faults = []
    if not hours.days or set(hours.days) - set(DAYS):
        faults.append(FieldProblem("businessHours.days", "REQUIRED", "Choose at least one day of the week."))
    for name, text in (("opens", hours.opens), ("closes", hours.closes)):
        if not _CLOCK.fullmatch(text):
            faults.append(FieldProblem(f"businessHours.{name}", "INVALID", "A time of the day is written like 08:00."))
    if not faults and hours.closes <= hours.opens:
        faults.append(FieldProblem("businessHours.closes", "TOO_EARLY", "Choose a time later than the one before it."))
    return faults
