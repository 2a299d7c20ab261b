"""Audit entries and outcomes in the words a person would use."""

from __future__ import annotations

from typing import Final

from app.audit.entry import Entry

_TOLD: Final = {
    "key.created": "Created the API key {name}",
    "key.updated": "Changed {changed} of an API key",
    "key.suspended": "Suspended the API key {name}",
    "key.resumed": "Resumed the API key {name}",
    "key.revoked": "Revoked the API key {name}",
    "plan.changed": "Changed the plan from {before} to {after}",
    "workspace.created": "Founded this workspace",
    "workspace.updated": "Changed {changed} of the workspace",
    "workspace.suspended": "Suspended the workspace",
    "workspace.resumed": "Resumed the workspace",
    "member.invited": "Invited {email} as {role}",
    "member.joined": "Joined as {role}",
    "member.role_changed": "Made {name} {after}",
    "member.removed": "Removed {name}",
    "invitation.withdrawn": "Withdrew the invitation of {email}",
    "management_key.created": "Created the management key {name}",
    "management_key.revoked": "Revoked the management key {name}",
    "management_key.taken_over": "Took over the management key {name}",
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


class _Detail(dict[str, object]):
    """What an entry does not say is left out of its sentence."""

    def __missing__(self, key: str) -> str:
        return "…"


def told(entry: Entry) -> str:
    """A sentence; an action that has none yet is named as it is."""
    sentence = _TOLD.get(entry.action)
    if sentence is None:
        return entry.action.replace(".", " ").replace("_", " ").capitalize()
    changed = ", ".join(name.replace("_", " ") for name, value in entry.detail.items() if isinstance(value, dict))
    quoted = {name: f"“{value}”" if name == "name" else value for name, value in entry.detail.items()}
    return sentence.format_map(_Detail(quoted, changed=changed))


def outcome(code: str) -> str:
    """Why requests failed, to stand behind their number."""
    return _OUTCOMES.get(code, code.lower().replace("_", " "))
