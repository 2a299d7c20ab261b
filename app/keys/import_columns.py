"""The columns of files of keys that were issued elsewhere, by source.

A column that is not listed here might restrict its keys, so a file that has one is refused unless the column is to be ignored.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from app.errors import FieldProblem, ValidationFailed

_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class Source(StrEnum):
    """Where the keys come from."""

    CSV = "csv"
    UNKEY = "unkey"
    BETTER_AUTH = "better-auth"
    DRF = "djangorestframework-api-key"


@dataclass(frozen=True, slots=True)
class Columns:
    """The names of a source's columns. `needed` must be there, `optional` ones are read too, those `left` are not taken over."""

    hash: str
    prefix: str
    expires_at: str
    needed: tuple[str, ...]
    optional: tuple[str, ...]
    left: tuple[str, ...] = ()


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


COLUMNS: Final[Mapping[Source, Columns]] = {
    Source.CSV: Columns(
        "hash",
        "prefix",
        "expires_at",
        _names("name hash"),
        _names("algorithm environment permissions prefix expires_at allowed_ips description labels id"),
    ),
    Source.UNKEY: Columns(
        "hash",
        "start",
        "expires",
        _names("id hash start enabled"),
        _names("name expires deleted_at deleted_at_m remaining remaining_requests"),
        _names(
            "pk key_auth_id workspace_id for_workspace_id owner_id identity_id meta created_at created_at_m updated_at_m"
            " refill_day refill_amount last_refill_at last_used_at ratelimit_async ratelimit_limit ratelimit_duration environment"
        ),
    ),
    Source.BETTER_AUTH: Columns(
        "key",
        "start",
        "expires_at",
        _names("id key enabled"),
        _names("name start expires_at permissions remaining"),
        _names(
            "prefix user_id reference_id config_id refill_interval refill_amount last_refill_at rate_limit_enabled"
            " rate_limit_time_window rate_limit_max request_count last_request created_at updated_at metadata"
        ),
    ),
    Source.DRF: Columns(
        "hashed_key",
        "prefix",
        "expiry_date",
        _names("prefix hashed_key name revoked"),
        _names("expiry_date"),
        _names("id created"),
    ),
}


def heading(names: Iterable[str], source: Source, ignored: Collection[str]) -> list[str]:
    """The names of a file's columns in snake_case, in its order. Raises ValidationFailed, which repeats none of them: where the
    heading is missing, they are values."""
    columns, found = COLUMNS[source], [_plain(name) for name in names]
    if missing := [name for name in columns.needed if name not in found]:
        raise fault(f"The first line names the columns; there is no {missing[0]}.")
    known = {*columns.needed, *columns.optional, *columns.left, *map(_plain, ignored)}
    if unknown := [number for number, name in enumerate(found, 1) if name not in known]:
        listed = ", ".join((*columns.needed, *columns.optional))
        raise fault(f"Column {unknown[0]} has no known name; there are {listed}. --ignore-columns leaves a column out.")
    if len(set(found)) < len(found):
        raise fault("A column is named twice.")
    return found


def fault(message: str) -> ValidationFailed:
    """Why the file as a whole is refused."""
    return ValidationFailed(FieldProblem("file", "INVALID", message))


def _plain(name: str) -> str:
    """`expiresAt`, `EXPIRES_AT` and ` expires_at` are `expires_at`."""
    return _HUMP.sub("_", name.strip()).lower()
