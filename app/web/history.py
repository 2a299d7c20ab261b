"""Audit entries and outcomes in the words a person would use."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

from app import catalogue, clock
from app.audit.entry import Entry
from app.keys.key import Reason
from app.tenancy.workspace import DAYS
from app.web.formats import REASONS, exact

_TOLD: Final = {
    "key.created": "Created the API key {name}",
    "key.updated": "Changed the {changed} of an API key",
    "key.suspended": "Suspended the API key {name}",
    "key.resumed": "Resumed the API key {name}",
    "key.revoked": "Revoked the API key {name}: {reason}",
    "plan.changed": "Changed the plan from {before} to {after}",
    "workspace.created": "Founded the workspace {name}",
    "workspace.updated": "Changed the {changed} of the workspace",
    "workspace.suspended": "Suspended the workspace",
    "workspace.resumed": "Resumed the workspace",
    "member.invited": "Invited {email} as {role}",
    "member.joined": "Joined as {role}",
    "member.role_changed": "Changed the role of {name} from {before} to {after}",
    "member.removed": "Ended the membership of {name}",
    "invitation.withdrawn": "Withdrew the invitation of {email}",
    "calendar_link.made": "Made a new link to the calendar of this workspace",
    "calendar_link.withdrawn": "Withdrew the link to the calendar of this workspace",
    "management_key.created": "Created the management key {name}",
    "management_key.revoked": "Revoked the management key {name}",
    "management_key.taken_over": "Took over the management key {name}",
    "rotation.started": "Began to rotate {name}",
    "rotation.extended": "Gave a rotation more time",
    "rotation.caller_dismissed": "Left the caller {user_agent} behind",
    "rotation.successor_replaced": "Made another new key in place of one that nobody used",
    "rotation.completed": "Finished a rotation: the old key was revoked",
    "rotation.cancelled": "Cancelled a rotation",
}
_OUTCOMES: Final = {
    "REVOKED": "after its revocation",
    "EXPIRED": "after its expiry",
    "SUSPENDED": "while suspended",
    "IP_NOT_ALLOWED": "from another address",
    "ENVIRONMENT_NOT_ALLOWED": "in another environment",
    "PERMISSION_DENIED": "without the permission",
    "FAILED": "failed in the API itself",
}


_NAMES: Final = {
    "expires_at": "expiry",
    "allowed_ips": "allowed addresses",
    "timezone": "time zone",
    "business_days": "business days",
    "business_opens": "opening",
    "business_closes": "closing",
}
_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:")


class _Detail(dict[str, object]):
    """What an entry does not say is left out of its sentence."""

    def __missing__(self, key: str) -> str:
        return "…"


def told(entry: Entry) -> str:
    """A sentence; an action that has none yet is named as it is."""
    sentence = _TOLD.get(entry.action)
    if sentence is None:
        return entry.action.replace(".", " ").replace("_", " ").capitalize()
    names = dict.fromkeys(_NAMES.get(name, name) for name, value in entry.detail.items() if isinstance(value, dict))
    return sentence.format_map(_Detail(_worded(entry), changed=", ".join(names)))


def changes(entry: Entry, zone: str = "UTC") -> list[tuple[str, str, str]]:
    """What was changed, as it was before and as it is since then."""
    return [
        (_NAMES.get(name, name), _value(value.get("before"), zone), _value(value.get("after"), zone))
        for name, value in entry.detail.items()
        if isinstance(value, dict)
    ]


def outcome(code: str) -> str:
    """Why requests failed, to stand behind their number."""
    return _OUTCOMES.get(code, code.lower().replace("_", " "))


def _worded(entry: Entry) -> dict[str, object]:
    """The entry's details as they stand in a sentence."""
    words: dict[str, object] = dict(entry.detail)
    if "name" in words:
        words["name"] = f"“{words['name']}”"
    if entry.action == "plan.changed":
        words |= {name: catalogue.current().plan(str(words[name])).title for name in ("before", "after")}
    if "reason" in words:
        words["reason"] = REASONS.get(Reason(str(words["reason"])), "").lower()
    return words


def _value(value: object, zone: str) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    text = "none" if value is None else str(value)
    if set(text.split()) <= set(DAYS):
        return ", ".join(day.capitalize() for day in text.split())
    return exact(_instant(text), zone) if _INSTANT.match(text) else text


def _instant(text: str) -> int:
    """Of what was once accepted also what no form accepts today."""
    try:
        return clock.from_datetime(datetime.fromisoformat(text))
    except ValueError:
        return clock.LAST
