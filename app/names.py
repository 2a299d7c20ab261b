"""Rules for names of all kinds: visible, in one line, and normalized."""

from __future__ import annotations

import unicodedata
from typing import Final

from app.errors import FieldProblem
from app.invisible import without_invisible

LONGEST_NAME: Final = 100
# Control characters, lone surrogates, line and paragraph separators.
_NOT_IN_A_LINE: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
# Invisible letters: the fillers of Hangul, and the blank of Braille.
_BLANK: Final = frozenset("\u115f\u1160\u2800\u3164\uffa0")
# Characters that change the direction of surrounding text (bidirectional embeddings, overrides and isolates).
_TURNING: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def is_one_line(text: str) -> bool:
    """Whether `text` has no character that breaks a line or an e-mail header, or changes the direction of surrounding text."""
    return all(unicodedata.category(character) not in _NOT_IN_A_LINE and character not in _TURNING for character in text)


def plain_name(text: str) -> str:
    """The name as it is stored: normalized, without invisible characters that make two names look alike."""
    # Removing a character at an edge can leave a blank there, or a combining mark without a base.
    while (plain := without_invisible(unicodedata.normalize("NFC", without_invisible(text))).strip()) != text:
        text = plain
    return text


def plain_text(text: str) -> str:
    """A text of several lines as it is stored: each line like a name, without blank lines at its ends."""
    return "\n".join(plain_name(line) for line in text.replace("\r\n", "\n").replace("\t", " ").split("\n")).strip("\n")


def _is_visible(text: str) -> bool:
    return any(unicodedata.category(character)[0] not in "CZM" and character not in _BLANK for character in text)


def name_fault(text: str, field: str, missing: str) -> FieldProblem | None:
    """The fault of a name, if any; `missing` is the message for an empty one."""
    if not _is_visible(text):
        return FieldProblem(field, "REQUIRED", missing)
    if len(plain_name(text)) > LONGEST_NAME:
        return FieldProblem(field, "TOO_LONG", f"At most {LONGEST_NAME} characters, please.")
    if not is_one_line(text):
        message = "A name cannot contain line breaks, control characters, or marks that change the direction of text."
        return FieldProblem(field, "INVALID", message)
    return None
