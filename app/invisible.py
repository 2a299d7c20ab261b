"""Invisible characters (Unicode's default ignorable code points): kept where a script or an emoji needs them, else removed."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

# Without the fillers, which count as blanks, and without direction controls, which are refused.
_MARK: Final = re.compile(
    "[\u00ad\u034f\u061c\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2060-\u2065\u206a-\u206f\ufe00-\ufe0f\ufeff\ufff0-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_JOINER, _NON_JOINER = "\u200d", "\u200c"
_KEYCAP: Final = "\u20e3"
_FLAG: Final = "\U0001f3f4"  # flags of England and others: this flag and tag characters
_VIRAMA: Final = 9  # the combining class of viramas, which form conjuncts in Indic scripts


def without_invisible(text: str) -> str:
    """Removes them, so that two names that look alike are equal."""
    if not _MARK.search(text):
        return text
    kept = ""
    for index, sign in enumerate(text):
        if not _MARK.match(sign) or _has_meaning(sign, kept, text[index + 1 : index + 2]):
            kept += sign
    return kept


def _has_meaning(mark: str, before: str, after: str) -> bool:
    """Whether the character changes how its neighbours look."""
    last = before[-1:]
    if mark in (_JOINER, _NON_JOINER):
        return _joins(before, after) or (mark == _JOINER and _is_emoji(last) and _is_symbol(after))
    if mark in "\ufe0e\ufe0f":
        return after == _KEYCAP or _is_symbol(last)
    if "\u180b" <= mark <= "\u180f":
        return "\u1820" <= last <= "\u18aa"  # variants of Mongolian letters
    if "\U000e0020" <= mark <= "\U000e007f":
        return before.rstrip("".join(map(chr, range(0xE0020, 0xE007F))))[-1:] == _FLAG
    # Variants of ideographs, which occur in Japanese names.
    return unicodedata.name(mark, "").startswith("VARIATION SELECTOR") and unicodedata.name(last or " ", "").startswith("CJK")


def _joins(before: str, after: str) -> bool:
    """Between Arabic letters, or next to a virama (RFC 5892 appendix A)."""
    if not (before and after):
        return False
    if _VIRAMA in (unicodedata.combining(before[-1]), unicodedata.combining(after)):
        return True
    letters = [sign for sign in before if not unicodedata.combining(sign)]
    return unicodedata.bidirectional((letters or " ")[-1]) == unicodedata.bidirectional(after) == "AL"


def _is_emoji(sign: str) -> bool:
    """Whether it is an emoji, or a modifier of one: its variant or skin tone."""
    return sign == "\ufe0f" or "\U0001f3fb" <= sign <= "\U0001f3ff" or _is_symbol(sign)


def _is_symbol(sign: str) -> bool:
    return sign > "\x7f" and (sign in "‼⁉〰" or unicodedata.category(sign) in ("So", "Sm"))
