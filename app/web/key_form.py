"""From what a form or an address says to what the use cases take."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from app import catalogue, clock
from app.errors import FieldProblem, ValidationFailed
from app.keys.key import RotationDue, Status
from app.keys.listing import LONGEST_SEARCH, KeyFilter
from app.keys.rules import KeyInput
from app.keys.secret import cut
from app.web.form import Form

FIELDS: Final = ("preset", "name", "environment", "permissions", "expiresAt", "allowedIps")
FILTERS: Final = ("q", "environment", "status", "permission", "rotation", "sort")


def asked(form: Form, zone: str) -> KeyInput:
    """Raises ValidationFailed for a time that cannot be read."""
    return KeyInput(
        name=form.text("name"),
        environment=form.text("environment"),
        permissions=form.texts("permissions"),
        expires_at=instant(form.text("expiresAt"), zone),
        allowed_ips=networks(form.text("allowedIps")),
    )


def typed(form: Form) -> list[tuple[str, str]]:
    """The fields of the form for a new key, as they were typed."""
    return [(name, text) for name in FIELDS for text in form.texts(name)]


def instant(text: str, zone: str) -> int | None:
    """What `<input type=datetime-local>` sends, in this time zone; None for nothing. Raises ValidationFailed."""
    if not text.strip():
        return None
    try:
        local = datetime.fromisoformat(text.strip())
        return clock.from_datetime(local if local.tzinfo else local.replace(tzinfo=ZoneInfo(zone)))
    except (ValueError, OverflowError):
        message = "This is not a date and time in the years 1970 to 9000, like 2027-01-31 18:00."
        raise ValidationFailed(FieldProblem("expiresAt", "INVALID", message)) from None


def networks(text: str) -> tuple[str, ...]:
    """One address or network a line, or between commas."""
    return tuple(part for part in text.replace(",", " ").split() if part)


def filter_of(query: Mapping[str, str]) -> KeyFilter:
    """The list's filter; a value that names nothing is no filter."""
    known = catalogue.current()
    status, rotation = query.get("status", "").upper(), query.get("rotation", "").upper()
    environment, permission = query.get("environment", ""), query.get("permission", "")
    return KeyFilter(
        search=_search(query),
        statuses=(Status(status),) if status in set(Status) else (),
        environment=environment if environment in known.environments else None,
        permission=permission if permission in known.permissions else None,
        rotation=(RotationDue(rotation),) if rotation in set(RotationDue) else (),
    )


def plain(query: Mapping[str, str]) -> dict[str, str | None]:
    """The part of the address that says which list this is, without the place in it."""
    return {**{name: query[name] for name in FILTERS if query.get(name)}, "q": _search(query)}


def _search(query: Mapping[str, str]) -> str:
    """Of a whole key only its prefix, so that no page or link repeats what somebody should not have sent; no more than is
    searched for."""
    return cut(query.get("q", ""))[:LONGEST_SEARCH]
