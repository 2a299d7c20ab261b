"""The hot path's statements: what verification reads and writes, as SQL of either database. Each text is built once."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

# Of a lookup.
_MOST_LISTS: Final = 3


@dataclass(frozen=True, slots=True)
class Lookup:
    """A SELECT over lists of bytes. `{0}` stands for the condition on the first list, `{now}` for the database's clock."""

    text: str


@dataclass(frozen=True, slots=True)
class Upsert:
    """Rows inserted into a table, or merged into existing ones by `conflict`. Rows come sorted by primary key: writers
    that meet on several rows then wait for each other instead of deadlocking."""

    table: str
    columns: tuple[tuple[str, str], ...]
    conflict: str
    rows: list[tuple[Any, ...]] = field(compare=False, hash=False)


def padded(values: list[bytes]) -> list[bytes]:
    """Padded with repeats to the next power of two, so that only few different statements are prepared."""
    size = 1 << max(0, len(values) - 1).bit_length()
    return values + [values[-1] if values else b""] * (size - len(values))


@lru_cache(maxsize=256)
def sqlite_select(lookup: Lookup, sizes: tuple[int, ...]) -> str:
    return lookup.text.format(*(f"IN ({','.join('?' * size)})" for size in sizes), now="?1")


@lru_cache(maxsize=512)
def sqlite_upsert(upsert: Upsert, rows: int) -> str:
    names = ", ".join(name for name, _ in upsert.columns)
    row = f"({','.join('?' * len(upsert.columns))})"
    return f"INSERT INTO {upsert.table} ({names}) VALUES {','.join([row] * rows)} {upsert.conflict}"


@lru_cache(maxsize=16)
def postgres_select(lookup: Lookup) -> str:
    now = "COALESCE($1::bigint, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)"
    found = lookup.text.format(*(f"= ANY(${number + 2}::bytea[])" for number in range(_MOST_LISTS)), now=now)
    # Returned with every answer, even an empty one: a read-only server may not have a living key yet.
    truth = "(SELECT current_setting('transaction_read_only') AS only_reads) truth"
    return f"SELECT found.*, truth.only_reads FROM {truth} LEFT JOIN ({found}) found ON true"


@lru_cache(maxsize=64)
def postgres_upserts(upserts: tuple[Upsert, ...]) -> str:
    parts, argument = [], 1
    for number, upsert in enumerate(upserts):
        names = ", ".join(name for name, _ in upsert.columns)
        lists = ", ".join(f"${argument + index}::{kind}[]" for index, (_, kind) in enumerate(upsert.columns))
        argument += len(upsert.columns)
        # PostgreSQL guarantees no order for the parts of WITH, so each statement reads the end of the one before: every writer
        # takes the tables in the same order.
        after = f" WHERE (SELECT count(*) FROM s{number - 1}) >= 0" if number else ""
        parts.append(f"INSERT INTO {upsert.table} ({names}) SELECT * FROM unnest({lists}){after} {upsert.conflict}")
    *before, last = parts
    return (f"WITH {', '.join(f's{n} AS ({part} RETURNING 1)' for n, part in enumerate(before))} " if before else "") + last
