"""Every error Keydesk raises on purpose, one tree:

    KeydeskError
    ├── Problem                 what a caller can meet; `code` is stable, the text is free
    │   ├── ValidationFailed    bad input, message by message at its field
    │   ├── NotFound            no such thing, or not yours
    │   ├── NotAllowed          you may see it, but you may not do this
    │   │   └── ConfirmationNeeded  you may, once you have given your password again
    │   ├── Conflict            it has changed, or another request was first
    │   ├── PlanLimitReached    the limit of the plan is reached
    │   ├── RotationNotReady    completing now would cut callers off
    │   ├── LinkExpired         a one-time link that is used, too old, or never was one
    │   ├── SignInFailed        the address or the password is wrong; the message does not say which
    │   └── TooManyAttempts     wait `retry_after_seconds`
    ├── NotAuthenticated        no credential, or one that is no longer valid
    ├── Unavailable             the database cannot answer: neither yes nor no
    └── StartRefused            settings, catalogue or pepper are wrong: Keydesk does not start

Transports map the tree in one place each: `api/errors.py`, `web/framework/errors.py`, `verification/routes.py`, `cli/__init__.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal, TypeAlias

# The maximum number of reported faults: for 100 invalid names no client needs 100 messages.
MOST_FAULTS: Final = 20
# Codes of what can be wrong with an input. UserFault has those of a user's own e-mail address and password, which no API takes.
Fault: TypeAlias = Literal[
    "INVALID", "IN_THE_PAST", "OUT_OF_RANGE", "REQUIRED", "TOO_EARLY", "TOO_LATE", "TOO_LONG", "TOO_MANY", "UNKNOWN"
]  # fmt: skip
UserFault: TypeAlias = Literal["SAME", "TAKEN", "TOO_COMMON", "TOO_SHORT", "TOO_SIMPLE", "WRONG"]


class KeydeskError(Exception):
    """`str(error)` is written for users and never contains a secret; `internal` is only for the log."""

    def __init__(self, message: str, *, internal: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.internal = internal
        if internal:
            self.add_note(internal)


class Problem(KeydeskError):
    """An error that a caller can expect and handle."""

    code: ClassVar[str] = "PROBLEM"


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """What is wrong with one field: `field` as the caller named it (camelCase), a stable code, a sentence.

    `index`: the entry of a list field that it is about; None: the whole field.
    """

    field: str
    code: Fault | UserFault
    message: str
    index: int | None = None

    @property
    def path(self) -> list[str]:
        """`businessHours.opens` → `businessHours`, `opens`; an entry of a list has its index at the end."""
        return [*self.field.split("."), *([] if self.index is None else [str(self.index)])]


class ValidationFailed(Problem):
    """The input was refused; nothing was changed. Holds at least one field problem, and no more than MOST_FAULTS."""

    code = "VALIDATION_FAILED"

    def __init__(self, *fields: FieldProblem) -> None:
        self.fields = fields[:MOST_FAULTS]
        super().__init__(" ".join(field.message for field in self.fields))


class NotFound(Problem):
    """Raised both for what does not exist and for what the actor may not know of."""

    code = "NOT_FOUND"

    def __init__(self, what: str = "thing") -> None:
        super().__init__(f"There is no such {what}.")


class NotAllowed(Problem):
    """The caller's role or scope does not include this."""

    code = "NOT_ALLOWED"


class ConfirmationNeeded(NotAllowed):
    """Allowed, but the caller last gave their password too long ago for this."""

    def __init__(self) -> None:
        super().__init__("Confirm your password in the dashboard first, then try again within 10 minutes.")


class Conflict(Problem):
    """The request conflicts with the current state."""

    code = "CONFLICT"


class PlanLimitReached(Problem):
    """The limit is reached: `used` of `limit` keys on `plan`; `upgrade_to` names the plans that would allow one more."""

    code = "PLAN_LIMIT_REACHED"

    def __init__(self, *, plan: str, limit: int, used: int, upgrade_to: tuple[str, ...]) -> None:
        keys = "key" if limit == 1 else "keys"
        super().__init__(f"The plan allows {limit} API {keys} and {used} are in use. Revoke one, or choose a larger plan.")
        self.plan, self.limit, self.used, self.upgrade_to = plan, limit, used, upgrade_to


class RotationNotReady(Problem):
    """Callers have not moved yet: `callers` (of `rotations.rotation.CallerStatus`) would be cut off; possibly empty."""

    code = "ROTATION_NOT_READY"

    def __init__(self, message: str, callers: tuple[Any, ...]) -> None:
        super().__init__(message)
        self.callers = callers


class LinkExpired(Problem):
    """Raised alike for a link that was used, has expired, was replaced, or never existed."""

    code = "LINK_EXPIRED"

    def __init__(self) -> None:
        super().__init__("This link has been used or is no longer valid. Please ask for a new one.")


class SignInFailed(Problem):
    """Raised alike for an unknown address and for a wrong password."""

    code = "SIGN_IN_FAILED"

    def __init__(self, message: str = "The e-mail address or the password is wrong.") -> None:
        super().__init__(message)


class TooManyAttempts(Problem):
    """Throttled: the caller may try again after `retry_after_seconds`."""

    code = "TOO_MANY_ATTEMPTS"

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__("Too many attempts. Please wait a moment and try again.")
        self.retry_after_seconds = retry_after_seconds


class NotAuthenticated(KeydeskError):
    """There is no credential, or it is unknown, expired or revoked (the message does not say which)."""

    def __init__(self, message: str = "Please sign in.") -> None:
        super().__init__(message)


class Unavailable(KeydeskError):
    """The database cannot be reached now; nothing is known and nothing was decided."""

    def __init__(self, *, internal: str | None = None, retry_after_seconds: int = 1) -> None:
        super().__init__("The service cannot answer right now. Please try again.", internal=internal)
        self.retry_after_seconds = retry_after_seconds


class StartRefused(KeydeskError):
    """The installation has an error; the message says what it is and how to fix it."""
