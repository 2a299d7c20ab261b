"""Which passwords are accepted.

Accepted (NIST SP 800-63B-4 §3.1.1.2): 15 characters or more, up to 1,024 bytes, any Unicode, no rules of composition.
Common passwords are shorter than that, so comparing the whole text with a list of them would refuse almost nothing. People
make a common password longer instead. So a password is refused when, without its case and the digits and punctuation around
it, it is a common password (29,000 of them) or a word about this product or user, once or repeated.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import Final

from app.errors import Fault, FieldProblem, UserFault, ValidationFailed

SHORTEST: Final = 15
MOST_BYTES: Final = 1024
FEWEST_DIFFERENT: Final = 5

# Words about this product; a password of nothing else is refused.
_CONTEXT: Final = frozenset(
    {"keydesk", "api", "apikey", "key", "keys", "live", "test", "freelance", "dashboard", "admin", "owner", "login"}
    | {"password", "passphrase", "secret"}
)
_LIST: Final = Path(__file__).with_name("common_passwords.txt")
_RUNS: Final = (
    "abcdefghijklmnopqrstuvwxyz",
    "0123456789",
    "qwertyuiopasdfghjklzxcvbnm",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
)


def checked(password: str, *, about: Collection[str] = (), field: str = "password") -> str:
    """The password in NFC, as it is hashed. Raises ValidationFailed, at `field`, saying why it is refused.

    `about`: what is known of the user and is guessed first, e.g. their name and address.
    """
    text = normalised(password)
    if len(text) < SHORTEST:
        raise _refused(field, "TOO_SHORT", f"Use {SHORTEST} characters or more; a few unrelated words are easy to remember.")
    if len(text.encode("utf-8", "surrogatepass")) > MOST_BYTES:
        raise _refused(field, "TOO_LONG", f"Use at most {MOST_BYTES} bytes.")
    if len(set(text.casefold())) < FEWEST_DIFFERENT or is_sequence(text):
        raise _refused(field, "TOO_SIMPLE", "This repeats or counts up; use a few unrelated words.")
    if is_common(text, about):
        raise _refused(field, "TOO_COMMON", "This is a common password made longer, or about you; use a few unrelated words.")
    return text


def normalised(password: str) -> str:
    """The text in NFC: the same for every way in which its characters can be composed."""
    return unicodedata.normalize("NFC", password)


def is_sequence(text: str) -> bool:
    """Whether it walks along the alphabet, the digits or the keyboard, forwards or backwards, again and again."""
    plain = text.casefold()
    return any(plain in row * 20 or plain in row[::-1] * 20 for row in _RUNS)


def is_common(text: str, about: Collection[str] = ()) -> bool:
    """Whether it is a common password, or a word about this product or user, made longer."""
    near = {*_CONTEXT, *(part for whole in about for part in _parts(whole))}
    words = set(_words(text.casefold()))
    if words and words <= near:
        return True
    return any(core in near or core in common_passwords() for core in _cores(text.casefold()))


@cache
def common_passwords() -> frozenset[str]:
    """The list, lower case."""
    lines = _LIST.read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if not line.startswith("# "))


def _cores(text: str) -> set[str]:
    """What the text may have been made from: without what is around its letters, without separators, once if repeated."""
    outside = "".join(character for character in text if not character.isalpha())
    joined = "".join(character for character in text if character.isalnum())
    letters = "".join(character for character in text if character.isalpha())
    return {_unit(core) for core in (text, text.strip(outside), joined, joined.strip(outside), letters) if core}


def _unit(text: str) -> str:
    """`abcabcab` → `abc`; a text that is no repetition is its own unit. The last turn may be incomplete."""
    for size in range(1, len(text) // 2 + 1):
        if (text[:size] * (len(text) // size + 1))[: len(text)] == text:
            return text[:size]
    return text


def _parts(whole: str) -> set[str]:
    """`ann.lee@example.org` → itself in one word, `ann`, `lee`, `example`, `org`, `annlee`."""
    plain = normalised(whole).casefold()
    words = _words(plain)
    return {plain, "".join(words), *words, "".join(_words(plain.split("@")[0]))}


def _words(text: str) -> list[str]:
    return "".join(character if character.isalpha() else " " for character in text).split()


def _refused(field: str, code: Fault | UserFault, message: str) -> ValidationFailed:
    return ValidationFailed(FieldProblem(field, code, message))
