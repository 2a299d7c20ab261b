"""The scalars. DateTime and BigInt are plain ints inside: microseconds since 1970 UTC, and a count.

Scope, LocalTime, TimeZone and Network are texts with a documented format; use cases refuse invalid ones, at their field.
"""

from __future__ import annotations

from typing import Any, Final, NewType, TypeVar

import strawberry
from graphql import GraphQLError
from strawberry.types.scalar import ScalarDefinition

from app import clock
from app.access.actor import OperatorScope, Scope

Instant = NewType("Instant", int)
BigInt = NewType("BigInt", int)
ScopeName = NewType("ScopeName", str)
LocalTime = NewType("LocalTime", str)
TimeZone = NewType("TimeZone", str)
Network = NewType("Network", str)

Value = TypeVar("Value")

_REFUSED: Final = "DateTime is RFC 3339 with an offset, for example 2027-01-31T12:00:00Z, in the years 1970 to 9000."
_SAFE_INTEGER: Final = 2**53 - 1


def parse_instant(value: Any) -> Instant:
    """Microseconds since 1970 UTC; digits beyond the microsecond are dropped. Raises GraphQLError with an example."""
    try:
        if isinstance(value, str):
            return Instant(clock.parse_rfc3339(value))
    except (ValueError, OverflowError):
        pass
    raise GraphQLError(_REFUSED)


def parse_integer(value: Any) -> BigInt:
    """Raises GraphQLError for anything but a whole number, or for one that JSON readers would round."""
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > _SAFE_INTEGER:
        raise GraphQLError("BigInt is a whole number of at most 53 bits.")
    return BigInt(value)


def _text(name: str, description: str, specified_by_url: str | None = None) -> ScalarDefinition:
    """A scalar that is a text; anything else is refused with a GraphQLError."""

    def parse(value: Any) -> str:
        if not isinstance(value, str):
            raise GraphQLError(f"{name} is a text.")
        return value

    return strawberry.scalar(
        name=name, description=description, specified_by_url=specified_by_url, serialize=str, parse_value=parse
    )


def unset_to_none(value: Value | None) -> Value | None:
    """None for an optional input that was left out as well as for one that is null."""
    return None if value is strawberry.UNSET else value


def instant(value: int | None) -> Instant | None:
    return None if value is None else Instant(value)


SCOPES: Final = {
    Scope.KEYS_READ: "read API keys and rotations, and preview the verdict on a key",
    Scope.KEYS_WRITE: "make, change, rotate and revoke API keys",
    Scope.USAGE_READ: "read how keys and the workspace are used",
    Scope.AUDIT_READ: "read the audit log",
    Scope.WORKSPACE_READ: "read the workspace's plan and settings, its members and its invitations",
    Scope.WORKSPACE_WRITE: "change the workspace's settings",
}

OPERATOR_SCOPES: Final = {
    OperatorScope.WORKSPACES_READ: "list workspaces, and read their plans and settings",
    OperatorScope.WORKSPACES_WRITE: "make workspaces, change their plans, suspend and resume them",
    OperatorScope.WORKSPACES_TRANSFER: "make anyone the owner of any workspace, who can then do and read everything in it",
    OperatorScope.WORKSPACES_DELETE: "delete workspaces",
}

SCALARS: Final[dict[object, ScalarDefinition]] = {
    Instant: strawberry.scalar(
        name="DateTime",
        description=(
            "An instant in RFC 3339 with an offset, `2027-01-31T12:00:00Z`, exact to the microsecond. Answers are in UTC; a time\n"
            "without an offset is refused, and one outside the years 1970 to 9000."
        ),
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339#section-5.6",
        serialize=clock.rfc3339,
        parse_value=parse_instant,
    ),
    BigInt: strawberry.scalar(
        name="BigInt",
        description=(
            "A whole number that may need more than 32 bits, as a JSON number. In inputs at most 2^53 - 1, the largest that every\n"
            "reader of JSON keeps exactly; answers have all digits of what was counted, also beyond."
        ),
        specified_by_url="https://www.rfc-editor.org/rfc/rfc8259#section-6",
        serialize=int,
        parse_value=parse_integer,
    ),
    ScopeName: _text(
        "Scope",
        "What a management key may be asked to do; writing includes reading.\n\n"
        + "\n".join(f"- `{scope}`: {words}" for scope, words in SCOPES.items())
        + "\n\nAnd what an operator key may be asked to do, in all workspaces:\n\n"
        + "\n".join(f"- `{scope}`: {words}" for scope, words in OPERATOR_SCOPES.items()),
    ),
    LocalTime: _text(
        "LocalTime",
        "A time of day without a zone, in hours and minutes: `08:00`.",
        "https://html.spec.whatwg.org/multipage/common-microsyntaxes.html#times",
    ),
    TimeZone: _text(
        "TimeZone",
        "A name of the IANA time zone database: `Europe/Berlin`, `UTC`.",
        "https://www.iana.org/time-zones",
    ),
    Network: _text(
        "Network",
        "An IPv4 or IPv6 network, `203.0.113.0/24`, `2001:db8:1::/48`. In inputs an address alone is the network that\n"
        "holds it alone, and answers show it so: `203.0.113.9/32`.",
        "https://www.rfc-editor.org/rfc/rfc4632#section-3.1",
    ),
}
