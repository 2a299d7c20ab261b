"""Converts forms and query strings to the arguments of use cases."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from app import catalogue, clock, ids
from app.errors import FieldProblem, ValidationFailed
from app.keys import labels
from app.keys.filters import LONGEST_SEARCH, InstantRange, KeyFilter, WantedLabel
from app.keys.key import KeySettings, Owner, RotationDue, Status
from app.keys.secret import mask_secrets
from app.users.user import USER_ID
from app.web.framework.form import Form

FIELDS: Final = (
    "preset", "name", "description", "environment", "permissions", "lifetime", "expiresAt", "allowedIps", "labels",
)  # fmt: skip
# Values of the field `lifetime`, beside numbers of days.
NEVER, ON_DATE = "never", "date"
LIFETIMES: Final = {"7": "7 days", "30": "30 days", "90": "90 days", NEVER: "No expiration", ON_DATE: "A date"}
# Values of the filter `status` beside the statuses themselves: keys in force that may be superfluous.
NEVER_USED, IDLE = "NEVER-USED", "IDLE"
IDLE_DAYS: Final = 90
_IN_FORCE: Final = (Status.ACTIVE, Status.SUSPENDED)
FILTERS: Final = ("q", "environment", "status", "permission", "rotation", "label", "owner", "sort")


def settings_from(form: Form, zone: str) -> KeySettings:
    """The new key that the form describes, without the lifetime in days. Raises ValidationFailed for an expiry that cannot be
    understood."""
    return KeySettings(
        name=form.text("name"),
        environment=form.text("environment"),
        permissions=form.texts("permissions"),
        expires_at=_expires_at(form, zone),
        allowed_ips=parse_parts(form.text("allowedIps")),
        description=form.text("description"),
        labels=parse_parts(form.text("labels")),
    )


def owner(form: Form) -> Owner | None:
    """The owner that the form names; forms for new keys name none."""
    return Owner(form.text("owner")) if form.text("owner") else None


def draft(form: Form, zone: str) -> KeySettings:
    """The same from a form that is still being filled in, without an expiry that cannot be understood."""
    try:
        return settings_from(form, zone)
    except ValidationFailed:
        return settings_from(form.without("lifetime", "expiresAt"), zone)


def lifetime(form: Form) -> str:
    """The chosen lifetime. A form without this field means its date, if it has one, and otherwise no expiration."""
    return form.text("lifetime") or (ON_DATE if form.text("expiresAt").strip() else NEVER)


def lifetime_days(form: Form) -> int | None:
    """The chosen lifetime, if it is a number of days."""
    chosen = lifetime(form)
    return int(chosen) if chosen in LIFETIMES and chosen not in (NEVER, ON_DATE) else None


def sending(form: Form) -> str | None:
    """An idempotency key that is equal for the same input, whether it was sent by the form or by its review."""
    given = {name: texts for name in (*FIELDS, "once") if name != "preset" and any(texts := [*form.texts(name)])}
    return Form(given).sending


def typed_fields(form: Form) -> list[tuple[str, str]]:
    """The fields of the form for a new key, as they were typed."""
    return [(name, text) for name in FIELDS for text in form.texts(name)]


def parse_local_time(text: str, zone: str) -> int | None:
    """Parses the value of `<input type=datetime-local>` in this time zone; None if empty. Raises ValidationFailed."""
    if not text.strip():
        return None
    try:
        local = datetime.fromisoformat(text.strip())
        return clock.from_datetime(local if local.tzinfo else local.replace(tzinfo=ZoneInfo(zone)))
    except (ValueError, OverflowError):
        message = "This is not a date and time in the years 1970 to 9000, like 2027-01-31 18:00."
        raise ValidationFailed(FieldProblem("expiresAt", "INVALID", message)) from None


def _expires_at(form: Form, zone: str) -> int | None:
    """The date, if one was chosen."""
    chosen = lifetime(form)
    if chosen not in LIFETIMES:
        message = "Choose 7, 30 or 90 days, no expiration, or a date."
        raise ValidationFailed(FieldProblem("lifetime", "UNKNOWN", message))
    if chosen != ON_DATE:
        return None
    found = parse_local_time(form.text("expiresAt"), zone)
    if found is None:
        raise ValidationFailed(FieldProblem("expiresAt", "REQUIRED", "Enter the date and time at which the key expires."))
    return found


def parse_parts(text: str) -> tuple[str, ...]:
    """Networks or labels, separated by lines or commas; a blank inside of one is a mistake and not a separator."""
    return tuple(part.strip() for part in text.replace(",", "\n").split("\n") if part.strip())


def filter_from(query: Mapping[str, str], now: int) -> KeyFilter:
    """The list's filter; unknown values are ignored."""
    known = catalogue.current()
    status, rotation = query.get("status", "").upper(), query.get("rotation", "").upper()
    statuses = _IN_FORCE if status in (NEVER_USED, IDLE) else (Status(status),) if status in set(Status) else ()
    environment, permission = query.get("environment", ""), query.get("permission", "")
    return KeyFilter(
        search=_search_text(query),
        statuses=statuses,
        environment=environment if environment in known.environments else None,
        permission=permission if permission in known.permissions else None,
        rotation=(RotationDue(rotation),) if rotation in set(RotationDue) else (),
        labels=_label(query.get("label", "")),
        owner=query["owner"] if ids.is_a(USER_ID, query.get("owner", "")) else None,
        never_used=True if status == NEVER_USED else None,
        last_used_at=InstantRange(before=now - IDLE_DAYS * clock.DAY) if status == IDLE else InstantRange(),
    )


def nonempty_filters(query: Mapping[str, str]) -> dict[str, str | None]:
    """The part of the query that identifies the list, without the position in it."""
    return {**{name: query[name] for name in FILTERS if query.get(name)}, "q": _search_text(query)}


def _label(text: str) -> tuple[WantedLabel, ...]:
    """`team=payments`, or `team` for any value."""
    name, value = labels.split(text)
    return ((name, value if "=" in text else None),) if labels.is_label(name, value) else ()


def _search_text(query: Mapping[str, str]) -> str:
    """The search text. A whole key is cut to its prefix, so that no page or link repeats a secret; a longer text is cut to what
    is searched for."""
    return mask_secrets(query.get("q", ""))[:LONGEST_SEARCH]
