"""What a user's e-mail address and name may be, and the key under which an address is looked up."""

from __future__ import annotations

import unicodedata
from typing import Final

from app import names
from app.errors import FieldProblem, ValidationFailed
from app.names import is_one_line, plain_name

LONGEST_EMAIL: Final = 320
# What means something else in a mail's header (RFC 5322 §3.2.3), so that one address never becomes two.
_SPECIAL: Final = frozenset('()<>[]:;,\\"')


def email_key(email: str) -> str:
    """One key for all spellings of an address; empty for a text that is not an address, which no user has."""
    key = _key(email)
    return key if _is_address(key) else ""


def email_fault(email: str, field: str = "email") -> FieldProblem | None:
    """What is wrong with an address, if anything. Whether it exists is known only once an e-mail to it has been read."""
    if not email.strip():
        return FieldProblem(field, "REQUIRED", "Enter an e-mail address.")
    if not (email_key(email) and _is_address(email.strip())):
        return FieldProblem(field, "INVALID", "This is not an e-mail address, like ann@example.org.")
    return None


def name_fault(name: str) -> FieldProblem | None:
    return names.name_fault(name, "name", "Enter a name, so that others know who did what.")


def checked_email(email: str) -> str:
    """The address as it is stored. Raises ValidationFailed."""
    if fault := email_fault(email):
        raise ValidationFailed(fault)
    return email.strip()


def checked_name(name: str) -> str:
    """The name as it is stored. Raises ValidationFailed."""
    if fault := name_fault(name):
        raise ValidationFailed(fault)
    return plain_name(name)


def _key(email: str) -> str:
    # A text that is far too long is cut first, so that megabytes are never normalized.
    return unicodedata.normalize("NFKC", email.strip()[: LONGEST_EMAIL + 1]).casefold()


def _is_address(text: str) -> bool:
    name, at, host = text.partition("@")
    shaped = bool(name and at and host) and "@" not in host and len(text) <= LONGEST_EMAIL
    return shaped and is_one_line(text) and not any(character.isspace() or character in _SPECIAL for character in text)
