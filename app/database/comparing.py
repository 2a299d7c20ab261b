"""Compares the contents of two databases: the number of rows of each table, and a digest of them that does not depend on their
order or on the engine."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Final

from app.database.copying import tables
from app.database.snapshots import Reader

# What triggers derive must be equal too.
_DERIVED: Final = {"usage_day": ["key", "day", "permission", "outcome", "requests"]}
_LENGTH: Final = 32


@dataclass(frozen=True, slots=True)
class Contents:
    """The rows of one table: their number, and the sum of their digests."""

    rows: int
    digest: bytes


async def contents(read: Reader) -> dict[str, Contents]:
    """The contents of every table of a database, as they are to its reader."""
    return {table: await _of_table(read, table, columns) for table, columns in (tables() | _DERIVED).items()}


def digest(of: dict[str, Contents]) -> str:
    """One digest of all tables, in hexadecimal."""
    lines = [f"{table} {each.rows} {each.digest.hex()}\n" for table, each in sorted(of.items())]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


async def _of_table(read: Reader, table: str, columns: list[str]) -> Contents:
    """Digests of rows are added up: engines return rows in different orders, and of equal rows each counts."""
    count, total = 0, 0
    names = ", ".join(f'"{name}"' for name in columns)
    async for page in read(f'SELECT {names} FROM "{table}"'):
        count += len(page)
        total += sum(int.from_bytes(_of_row(row)) for row in page)
    return Contents(count, (total % 256**_LENGTH).to_bytes(_LENGTH))


def _of_row(row: tuple[Any, ...]) -> bytes:
    """Every value with its kind and its length, so that no two rows have the same text."""
    hashed = hashlib.sha256()
    for value in row:
        kind, text = _as_bytes(value)
        hashed.update(b"%c%d:" % (kind, len(text)))
        hashed.update(text)
    return hashed.digest()


def _as_bytes(value: Any) -> tuple[bytes, bytes]:
    match value:
        case None:
            return b"n", b""
        case int():
            return b"i", str(value).encode()
        case str():
            return b"t", value.encode("utf-8", "surrogatepass")
        case _:
            return b"b", bytes(value)
