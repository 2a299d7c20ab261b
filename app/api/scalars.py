"""DateTime and BigInt. Both are plain ints inside: microseconds since 1970 UTC, and a count."""

from __future__ import annotations

from typing import Any, Final, NewType, TypeVar

import strawberry
from graphql import GraphQLError
from strawberry.types.scalar import ScalarDefinition

from app import clock

Instant = NewType("Instant", int)
BigInt = NewType("BigInt", int)

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
    """Raises GraphQLError for what is no whole number, or one that JSON readers would round."""
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > _SAFE_INTEGER:
        raise GraphQLError("BigInt is a whole number of at most 53 bits.")
    return BigInt(value)


def given(value: Value | None) -> Value | None:
    """None for an optional input that was left out as well as for one that is null."""
    return None if value is strawberry.UNSET else value


def instant(value: int | None) -> Instant | None:
    return None if value is None else Instant(value)


SCALARS: Final[dict[object, ScalarDefinition]] = {
    Instant: strawberry.scalar(
        name="DateTime",
        description=(
            "An instant in RFC 3339 with an offset, `2027-01-31T12:00:00Z`, exact to the microsecond. Answers are in UTC; a time\n"
            "without an offset is refused, and one outside the years 1970 to 9000."
        ),
        serialize=clock.rfc3339,
        parse_value=parse_instant,
    ),
    BigInt: strawberry.scalar(
        name="BigInt",
        description="A whole number that may need more than 32 bits, as a JSON number.",
        serialize=int,
        parse_value=parse_integer,
    ),
}
