"""Validates what a person enters with a confirmation."""

from __future__ import annotations

import unicodedata
from typing import Final
from urllib.parse import urlsplit

from app.checklist.item import ATTESTED_DAYS, ItemName
from app.errors import FieldProblem, ValidationFailed
from app.keys.secret import mask_secrets

LONGEST_URL: Final = 500
RUNBOOK: Final = "runbookUrl"


def check_item(item: ItemName) -> None:
    """Raises ValidationFailed for an item whose state the data shows."""
    if item not in ATTESTED_DAYS:
        message = "Keydesk computes this item from its data: it is met once its causes are fixed."
        raise ValidationFailed(FieldProblem("item", "INVALID", message))


def runbook_url(item: ItemName, text: str | None) -> str | None:
    """The link to the process for compromised keys, which this item needs and no other has. Raises ValidationFailed."""
    given = (text or "").strip()
    if item is not ItemName.COMPROMISE_PROCESS:
        if given:
            raise ValidationFailed(FieldProblem(RUNBOOK, "INVALID", "Only the process for compromised keys has a link."))
        return None
    if not given:
        message = "Enter the link to the page that says what to do: revoke, replace, find out what was done with the key."
        raise ValidationFailed(FieldProblem(RUNBOOK, "REQUIRED", message))
    if len(given) > LONGEST_URL:
        raise ValidationFailed(FieldProblem(RUNBOOK, "TOO_LONG", f"A link has at most {LONGEST_URL} characters."))
    if not _is_https(given) or mask_secrets(given) != given:
        message = "This is not a link of the form https://wiki.example.com/leaked-keys, without a user name or a key in it."
        raise ValidationFailed(FieldProblem(RUNBOOK, "INVALID", message))
    return given


def _is_https(text: str) -> bool:
    """Whether it is an absolute https URL without credentials, which browsers and `urlsplit` read in the same way."""
    if any(character.isspace() or character in '\\<>"`{}|^' or unicodedata.category(character)[0] == "C" for character in text):
        return False
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    return text[:8].lower() == "https://" and bool(host) and parts.username is None and parts.password is None
