"""Audit entries and verification outcomes as text for people."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

from markupsafe import Markup

from app import catalogue, clock
from app.audit.entry import Entry
from app.keys.key import Reason
from app.nouns import EVENTS
from app.tenancy.workspace import DAYS
from app.verification.verdict import Code
from app.web.presentation.filters import REASONS, exact

_VERDICTS: Final = {
    Code.MALFORMED: "Not an API key",
    Code.NOT_FOUND: "Unknown key",
    Code.REVOKED: "Key revoked",
    Code.EXPIRED: "Key expired",
    Code.SUSPENDED: "Key suspended",
    Code.IP_NOT_ALLOWED: "Address not allowed",
    Code.ENVIRONMENT_NOT_ALLOWED: "Wrong environment",
    Code.PERMISSION_DENIED: "Permission missing",
    Code.VALID: "Accepted",
}
_OUTCOMES: Final = {
    "VALID": "accepted",
    "SUCCEEDED": "successful in the API itself",
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
_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\S+$")


class _Detail(dict[str, object]):
    """Details of an entry; a missing one is left out of the sentence."""

    def __missing__(self, key: str) -> str:
        return "…"


def sentence(entry: Entry) -> str:
    """A sentence about an entry; for an action that no noun declares anymore, its plain name."""
    event = EVENTS.get(entry.action)
    if event is None:
        return action_name(entry.action)
    names = dict.fromkeys(
        _NAMES.get(name, name.replace("_", " ")) for name, value in entry.detail.items() if isinstance(value, dict)
    )
    return event.sentence.format_map(_Detail(_worded(entry), changed=", ".join(names)))


def linked(entry: Entry, address: str | None) -> Markup:
    """The sentence, with the name of its target, or the word for it, as a link to this address."""
    text = sentence(entry)
    name = next((words for words in (str(_worded(entry).get("name", "")), "API key") if words and words in text), None)
    if address is None or name is None:
        return Markup.escape(text)
    # Sentences name their target last: a key called "key" is not the word before it.
    before, _, after = text.rpartition(name)
    return Markup('{}<a href="{}">{}</a>{}').format(before, address, name, after)


def action_name(action: str) -> str:
    """`key.created` → `Key created`."""
    return action.replace(".", " ").replace("_", " ").capitalize()


def changes(entry: Entry, zone: str = "UTC") -> list[tuple[str, str, str]]:
    """The changed attributes, each with its values before and after."""
    return [
        (_NAMES.get(name, name.replace("_", " ")), _value(value.get("before"), zone), _value(value.get("after"), zone))
        for name, value in entry.detail.items()
        if isinstance(value, dict)
    ]


def outcome(code: str) -> str:
    """What became of requests, as text to follow their number."""
    return _OUTCOMES.get(code, code.lower().replace("_", " "))


def verdict(code: str) -> str:
    """The verdict on a single request, as a title."""
    return _VERDICTS[Code(code)]


def _worded(entry: Entry) -> dict[str, object]:
    """The entry's details, formatted for a sentence."""
    detail: dict[str, object] = dict(entry.detail)
    if "name" in detail:
        detail["name"] = f"“{detail['name']}”"
    if entry.action == "plan.changed":
        detail |= {name: catalogue.current().plan(str(detail[name])).title for name in ("before", "after")}
    if "reason" in detail:
        detail["reason"] = REASONS.get(Reason(str(detail["reason"])), "").lower()
    return detail


def _value(value: object, zone: str) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    text = "none" if value is None else str(value)
    if set(text.split()) <= set(DAYS):
        return ", ".join(day.capitalize() for day in text.split())
    return exact(_instant(text), zone) if _INSTANT.match(text) else text


def _instant(text: str) -> int:
    """Parses an instant in any format ever accepted, including those that no form accepts today."""
    try:
        return clock.from_datetime(datetime.fromisoformat(text))
    except ValueError:
        return clock.LAST
