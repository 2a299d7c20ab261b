"""What makes a name, of anything: seen, in one line, and in one normal form."""

from __future__ import annotations

import unicodedata
from typing import Final

from app.errors import FieldProblem
from app.unseen import without_unseen

LONGEST_NAME: Final = 100
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
    # What is left out at an edge can bring a blank there, or a mark that nothing carries any more.
    while (plain := without_unseen(unicodedata.normalize("NFC", without_unseen(text))).strip()) != text:
        text = plain
    return text


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
