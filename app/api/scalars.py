"""DateTime and BigInt. Both are plain ints inside: microseconds since 1970 UTC, and a count."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, Final, NewType, TypeVar

import strawberry
from graphql import GraphQLError
from strawberry.types.scalar import ScalarDefinition

from app import clock

Instant = NewType("Instant", int)
BigInt = NewType("BigInt", int)

Value = TypeVar("Value")

# RFC 3339 is stricter than ISO 8601: a full date, `T`, a full time, and always an offset.
_RFC3339: Final = re.compile(r"(\d{4}-\d{2}-\d{2})[Tt](\d{2}:\d{2}:\d{2})(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})")
_REFUSED: Final = "DateTime is RFC 3339 with an offset, for example 2027-01-31T12:00:00Z, in the years 1970 to 9000."
_SAFE_INTEGER: Final = 2**53 - 1


def parse_instant(value: Any) -> Instant:
    """Microseconds since 1970 UTC; digits beyond the microsecond are dropped. Raises GraphQLError with an example."""
    match = _RFC3339.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise GraphQLError(_REFUSED)
    date, time, fraction, offset = match.groups()
    try:
        moment = datetime.fromisoformat(f"{date}T{time}{(fraction or '.0')[:7]:0<7}{offset.upper().replace('Z', '+00:00')}")
        return Instant(clock.from_datetime(moment))
    except (ValueError, OverflowError):
        raise GraphQLError(_REFUSED) from None


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
