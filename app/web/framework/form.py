"""A submitted form together with its faults, so that a refused form is shown again without losing input."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from app.errors import FieldProblem, Problem, ValidationFailed

MOST_FIELDS = 500
# The field with which any form can confirm the password.
CONFIRMATION = "confirmPassword"
# Fields that identify the sender and are not content.
_OF_SESSION = ("csrf", CONFIRMATION)


class Unreadable(Problem):
    """A body that no browser sends from one of our pages."""

    code = "UNREADABLE"

    def __init__(self) -> None:
        super().__init__("The request could not be read. Go back, reload the page, and try again.")


class TooLarge(Problem):
    """A body that is larger than any of our forms."""

    code = "TOO_LARGE"

    def __init__(self) -> None:
        super().__init__("The form contains more than can be sent.")


class TooSlow(Problem):
    """A body that did not arrive in time."""

    code = "TOO_SLOW"

    def __init__(self) -> None:
        super().__init__("The request did not arrive in time. Check your connection and send it again.")


@dataclass(frozen=True, slots=True)
class Form:
    """Fields by name. `faults` are by field name; `others` are faults of fields that the form does not have."""

    values: Mapping[str, list[str]] = field(default_factory=dict)
    faults: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, body: bytes) -> Form:
        """The form in a URL-encoded body. Raises Unreadable."""
        try:
            values = parse_qs(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
        except ValueError:
            raise Unreadable from None
        # PostgreSQL cannot store NUL in texts, SQLite can: refused for both.
        if any("\0" in text for name, texts in values.items() for text in (name, *texts)):
            raise Unreadable
        return cls({name: [text.replace("\r\n", "\n") for text in texts] for name, texts in values.items()})

    def text(self, name: str, default: str = "") -> str:
        """The field's text, unchanged."""
        return self.values.get(name, [default])[-1]

    def texts(self, name: str) -> tuple[str, ...]:
        """All values with this name."""
        return tuple(self.values.get(name, ()))

    @property
    def sending(self) -> str | None:
        """An idempotency key: equal for the same form sent twice, different if any field changed; None without a field `once`."""
        if not self.text("once"):
            return None
        fields = sorted((name, texts) for name, texts in self.values.items() if name not in _OF_SESSION)
        return hashlib.sha256(repr(fields).encode()).hexdigest()

    def kept(self, *without: str) -> dict[str, list[str]]:
        """The fields that may be shown again: without passwords, session fields and `without`."""
        left_out = {*_OF_SESSION, *without}
        return {name: texts for name, texts in self.values.items() if name not in left_out and not _is_password(name)}

    def repeated(self, *without: str) -> list[tuple[str, str]]:
        """`kept` as pairs for hidden fields."""
        return [(name, text) for name, texts in self.kept(*without).items() for text in texts]

    @property
    def has_password(self) -> bool:
        """Whether the form has a password, which `kept` leaves out and the user must retype."""
        return any(_is_password(name) for name in self.values if name != CONFIRMATION)

    def has(self, name: str) -> bool:
        return bool(self.values.get(name))

    def without(self, *names: str) -> Form:
        """The same form without these fields."""
        return Form({name: texts for name, texts in self.values.items() if name not in names}, self.faults)

    def refused(self, problem: ValidationFailed) -> Form:
        """The same form with the faults of `problem`."""
        faults: dict[str, str] = {}
        for fault in problem.fields:
            faults[fault.field] = f"{faults[fault.field]} {fault.message}" if fault.field in faults else fault.message
        return Form(self.values, faults)

    def wrong(self, name: str, message: str) -> Form:
        """The same form with one fault."""
        return self.refused(ValidationFailed(FieldProblem(name, "INVALID", message)))


def _is_password(name: str) -> bool:
    return "password" in name.lower()
