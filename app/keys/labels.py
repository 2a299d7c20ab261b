"""Labels of an API key: names with values by which programs and teams find keys, kept as words, `team=payments`.

A word has no blanks, so labels are stored, edited and copied as permissions are. A label without a value, `pci=`, is a tag.
"""

from __future__ import annotations

import re
from typing import Final

from app.errors import FieldProblem
from app.keys.secret import mask_secrets

MOST_LABELS: Final = 20
LONGEST_NAME: Final = 63
LONGEST_VALUE: Final = 100
# Labels of Kubernetes and Terraform fit; values may also be addresses and times.
RULE: Final = (
    f"The name of a label has 1 to {LONGEST_NAME} characters, its value at most {LONGEST_VALUE}: letters, digits and any of _ . / -"
    " (a name begins and ends with a letter or a digit), and in a value also : @ +"
)
_NAME: Final = re.compile(rf"[A-Za-z0-9](?:[A-Za-z0-9_./-]{{0,{LONGEST_NAME - 2}}}[A-Za-z0-9])?")
_VALUE: Final = re.compile(rf"[A-Za-z0-9_./:@+-]{{0,{LONGEST_VALUE}}}")


def word(name: str, value: str = "") -> str:
    """`team`, `payments` → `team=payments`."""
    return f"{name}={value}"


def split(text: str) -> tuple[str, str]:
    """Name and value of a word; the value is empty if there is none."""
    name, _, value = text.partition("=")
    return name, value


def shown(text: str) -> str:
    """A word as people read it: without `=` if it has no value."""
    return text.removesuffix("=")


def canonical(words: tuple[str, ...]) -> tuple[str, ...]:
    """The same labels in the order in which they are stored, each once."""
    return tuple(sorted({word(*split(text)) for text in words}))


def is_label(name: str, value: str = "") -> bool:
    """Whether a key can have this label."""
    text = word(name, value)
    return bool(_NAME.fullmatch(name) and _VALUE.fullmatch(value)) and mask_secrets(text) == text


def checked(words: tuple[str, ...], faults: list[FieldProblem]) -> tuple[str, ...]:
    """The labels in their stored form. Adds what is wrong with them to `faults`."""
    if len(words) > MOST_LABELS:
        faults.append(FieldProblem("labels", "TOO_MANY", f"At most {MOST_LABELS} labels, please."))
        return ()
    values: dict[str, str] = {}
    for index, text in enumerate(words):
        name, value = split(text)
        if not is_label(name, value):
            faults.append(FieldProblem("labels", "INVALID", f"{mask_secrets(text)[:60]!r} is not a label. {RULE}.", index))
        elif values.setdefault(name, value) != value:
            faults.append(FieldProblem("labels", "INVALID", f"The label {name!r} has two values.", index))
    return canonical(words)
