"""Reads a file of keys that were issued elsewhere: CSV with a heading, as databases export the tables of other products.

A fault of the file as a whole is a ValidationFailed; one of a line is its `refusal`, and no other line suffers from it. No message
repeats a value of the file but a permission, because a column may hold whole secrets by mistake.
"""

from __future__ import annotations

import base64
import binascii
import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from app import clock
from app.errors import FieldProblem, ValidationFailed
from app.keys.foreign import ALGORITHMS
from app.keys.key import KeySettings
from app.keys.validation import LONGEST_PREFIX

LONGEST_ID: Final = 200
_WORDS: Final = re.compile(r"[\s,;]+")
_MILLISECONDS: Final = re.compile(r"\d{12,14}")
_OFF: Final = frozenset({"0", "f", "false", "n", "no"})
_NONE: Final = frozenset({"", "null", r"\n"})
_HEXADECIMAL: Final = re.compile(r"[0-9a-fA-F]+")
_DRF: Final = "sha512$$"

Row = Mapping[str, str]


class Source(StrEnum):
    """Where the keys come from."""

    CSV = "csv"
    UNKEY = "unkey"
    BETTER_AUTH = "better-auth"
    DRF = "djangorestframework-api-key"


@dataclass(frozen=True, slots=True)
class Line:
    """A key of the file; `hashed` is the hash of its secret. `refusal`: why the line cannot be imported."""

    number: int
    settings: KeySettings
    algorithm: str
    hashed: bytes = field(repr=False)
    prefix: str = ""
    external_id: str = ""
    refusal: str | None = None


@dataclass(frozen=True, slots=True)
class Defaults:
    """What a file does not say."""

    environment: str = ""
    permissions: tuple[str, ...] = ()


class _Refused(Exception):
    """Why a line cannot be imported."""


@dataclass(frozen=True, slots=True)
class _Columns:
    """The names of a source's columns; `needed` must be there, and with `all_known` no others may be."""

    hash: str
    name: str
    prefix: str
    expires_at: str
    needed: tuple[str, ...]
    all_known: tuple[str, ...] = ()


_COLUMNS: Final = {
    Source.CSV: _Columns(
        "hash",
        "name",
        "prefix",
        "expires_at",
        ("name", "hash"),
        (
            "name",
            "hash",
            "algorithm",
            "environment",
            "permissions",
            "prefix",
            "expires_at",
            "allowed_ips",
            "description",
            "labels",
            "id",
        ),
    ),
    Source.UNKEY: _Columns("hash", "name", "start", "expires", ("id", "hash", "start", "enabled")),
    Source.BETTER_AUTH: _Columns("key", "name", "start", "expiresAt", ("id", "key", "enabled")),
    Source.DRF: _Columns("hashed_key", "name", "prefix", "expiry_date", ("prefix", "hashed_key", "name", "revoked")),
}


def read(text: Iterable[str], source: Source, defaults: Defaults) -> Iterator[Line]:
    """The keys of a file, in its order. Raises ValidationFailed for a heading or a structure that is not understood."""
    columns = _COLUMNS[source]
    rows = csv.DictReader(text, strict=True, restval="")
    try:
        _check(rows.fieldnames or (), columns)
        for row in rows:
            yield _line(rows.line_num, row, source, columns, defaults)
    except (csv.Error, UnicodeDecodeError):
        raise _fault(f"Line {rows.line_num + 1} is not CSV in UTF-8.") from None


def _check(heading: Iterable[str], columns: _Columns) -> None:
    names = list(heading)
    if missing := [name for name in columns.needed if name not in names]:
        raise _fault(f"The first line names the columns; there is no {missing[0]}.")
    if columns.all_known and (unknown := [number for number, name in enumerate(names, 1) if name not in columns.all_known]):
        raise _fault(f"Column {unknown[0]} has no known name; there are {', '.join(columns.all_known)}.")
    if len(set(names)) < len(names):
        raise _fault("A column is named twice.")


def _fault(message: str) -> ValidationFailed:
    return ValidationFailed(FieldProblem("file", "INVALID", message))


def _line(number: int, row: Row, source: Source, columns: _Columns, defaults: Defaults) -> Line:
    name, refusal = row.get(columns.name, ""), None
    algorithm, hashed, expires_at, permissions = "", b"", None, defaults.permissions
    if name.lower() in _NONE and source is not Source.CSV:
        name = f"Imported from {source}, line {number}"
    try:
        if None in row:
            raise _Refused("It has more columns than the first line.")
        _ENDED[source](row)
        algorithm, hashed = _HASHES[source](row)
        expires_at = _instant(row.get(columns.expires_at, ""), strict=source is Source.CSV)
        permissions = _PERMISSIONS[source](row) or permissions
        prefix, external_id = _shown(row.get(columns.prefix, "")), row.get("id", "")[:LONGEST_ID]
    except _Refused as reason:
        refusal, prefix, external_id = str(reason), "", ""
    settings = KeySettings(
        name,
        row.get("environment", "") if source is Source.CSV and row.get("environment") else defaults.environment,
        permissions,
        expires_at,
        *(_own_settings(row) if source is Source.CSV else ()),
    )
    # The id of this product contains the hash.
    return Line(number, settings, algorithm, hashed, prefix, "" if source is Source.DRF else external_id, refusal)


def _own_settings(row: Row) -> tuple[tuple[str, ...], str | None, tuple[str, ...]]:
    """Networks, description and labels, which only our own format has."""
    return tuple(_words(row.get("allowed_ips", ""))), row.get("description") or None, tuple(row.get("labels", "").split())


def _words(text: str) -> list[str]:
    return [word for word in _WORDS.split(text) if word]


def _shown(text: str) -> str:
    """The beginning of the key, as people know it."""
    if text.lower() in _NONE:
        return ""
    if len(text) > LONGEST_PREFIX or re.fullmatch(r"[\x21-\x7e]+", text) is None:
        raise _Refused(f"The prefix is the beginning of a key, at most {LONGEST_PREFIX} characters without blanks.")
    return text


def _hash_of(text: str, algorithm: str) -> bytes:
    """From hexadecimal, Base64 or Base64url, with or without padding."""
    length = ALGORITHMS[algorithm](b"").digest_size
    if len(text) == 2 * length and _HEXADECIMAL.fullmatch(text):
        return bytes.fromhex(text)
    plain = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        hashed = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except binascii.Error:
        hashed = b""
    if len(hashed) != length:
        raise _Refused(f"The hash is not {algorithm} in hexadecimal or Base64.")
    return hashed


def _csv_hash(row: Row) -> tuple[str, bytes]:
    algorithm = row.get("algorithm", "") or "sha256"
    if algorithm not in ALGORITHMS:
        raise _Refused(f"The algorithm is one of {', '.join(ALGORITHMS)}.")
    return algorithm, _hash_of(row["hash"], algorithm)


def _drf_hash(row: Row) -> tuple[str, bytes]:
    text = row["hashed_key"]
    if not text.startswith(_DRF):
        raise _Refused("The hash is salted (versions before 3): no key can be found by it. Once used there, it becomes sha512$$.")
    return "sha512", _hash_of(text.removeprefix(_DRF), "sha512")


def _instant(text: str, *, strict: bool) -> int | None:
    """RFC 3339; from other products also what their databases write: without `T`, without an offset (UTC), or milliseconds."""
    if text.lower() in _NONE:
        return None
    try:
        if strict:
            return clock.parse_rfc3339(text)
        if _MILLISECONDS.fullmatch(text):
            return int(text) * 1_000
        moment = datetime.fromisoformat(text)
        return clock.from_datetime(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except ValueError:
        raise _Refused("The expiry is not a time like 2027-01-31T12:00:00Z.") from None


def _better_auth_permissions(row: Row) -> tuple[str, ...]:
    """`{"pdf": ["generate"]}` is `pdf.generate`."""
    text = row.get("permissions", "")
    if text.lower() in _NONE:
        return ()
    try:
        return tuple(f"{thing}.{action}" for thing, actions in json.loads(text).items() for action in actions)
    except (ValueError, TypeError, AttributeError):
        raise _Refused("The permissions are not what Better Auth stores.") from None


def _unkey_ended(row: Row) -> None:
    if any(row.get(name, "").lower() not in _NONE for name in ("deleted_at", "deleted_at_m")):
        raise _Refused("It was deleted there.")
    _require_enabled(row)


def _require_enabled(row: Row) -> None:
    if row["enabled"].lower() in _OFF:
        raise _Refused("It is disabled there.")


def _drf_ended(row: Row) -> None:
    if row["revoked"].lower() not in _OFF:
        raise _Refused("It was revoked there.")


_ENDED: Final[Mapping[Source, Callable[[Row], None]]] = {
    Source.CSV: lambda row: None,
    Source.UNKEY: _unkey_ended,
    Source.BETTER_AUTH: _require_enabled,
    Source.DRF: _drf_ended,
}
_HASHES: Final[Mapping[Source, Callable[[Row], tuple[str, bytes]]]] = {
    Source.CSV: _csv_hash,
    Source.UNKEY: lambda row: ("sha256", _hash_of(row["hash"], "sha256")),
    Source.BETTER_AUTH: lambda row: ("sha256", _hash_of(row["key"], "sha256")),
    Source.DRF: _drf_hash,
}
_PERMISSIONS: Final[Mapping[Source, Callable[[Row], tuple[str, ...]]]] = {
    Source.CSV: lambda row: tuple(_words(row.get("permissions", ""))),
    Source.UNKEY: lambda row: (),
    Source.BETTER_AUTH: _better_auth_permissions,
    Source.DRF: lambda row: (),
}
