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
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from app import clock
from app.keys.foreign import ALGORITHMS, SHOWN_LENGTH
from app.keys.import_columns import COLUMNS, Columns, Source, fault, heading
from app.keys.key import KeySettings
from app.keys.secret import PATTERN
from app.keys.validation import LONGEST_PREFIX

LONGEST_ID: Final = 200
_WORDS: Final = re.compile(r"[\s,;]+")
_MILLISECONDS: Final = re.compile(r"\d{12,14}")
_SWITCH: Final = {**dict.fromkeys(("1", "t", "true", "y", "yes"), True), **dict.fromkeys(("0", "f", "false", "n", "no"), False)}
_POSITIVE: Final = re.compile(r"0*[1-9]\d*")
_NONE: Final = frozenset({"", "null", r"\n"})
_HEXADECIMAL: Final = re.compile(r"[0-9a-fA-F]+")
_DRF: Final = "sha512$$"

Row = Mapping[str, str]


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


def read(text: Iterable[str], source: Source, defaults: Defaults, ignored: Collection[str] = ()) -> Iterator[Line]:
    """The keys of a file, in its order; columns that are not known and not `ignored` make it refused. Raises ValidationFailed for a
    heading or a structure that is not understood."""
    rows = csv.DictReader(text, strict=True)
    try:
        rows.fieldnames = heading(rows.fieldnames or (), source, ignored)
        for row in rows:
            yield _line(rows.line_num, row, source, COLUMNS[source], defaults)
    except (csv.Error, UnicodeDecodeError):
        raise fault(f"Line {rows.line_num + 1} is not CSV in UTF-8.") from None


def _line(number: int, cells: Mapping[str | Any, str | Any], source: Source, columns: Columns, defaults: Defaults) -> Line:
    row = {name: (value or "").strip() for name, value in cells.items() if name is not None}
    name, refusal = row.get("name", ""), None
    algorithm, hashed, expires_at, permissions = "", b"", None, defaults.permissions
    if name.lower() in _NONE and source is not Source.CSV:
        name = f"Imported from {source}, line {number}"
    try:
        _require_whole(cells)
        _ENDED[source](row)
        algorithm, hashed = _HASHES[source](row)
        if any(_is_secret(value, algorithm, hashed) for value in row.values()):
            name = ""
            raise _Refused("One of its columns has a secret. Only hashes may be in the file.")
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


def _require_whole(cells: Mapping[str | Any, str | Any]) -> None:
    """A line that was cut short lacks what might restrict its key."""
    if None in cells:
        raise _Refused("It has more columns than the first line.")
    if None in cells.values():
        raise _Refused("It has fewer columns than the first line.")


def _is_secret(text: str, algorithm: str, hashed: bytes) -> bool:
    """Whether a column is the secret of its line, or has a key of Keydesk's own format."""
    return ALGORITHMS[algorithm](text.encode()).digest() == hashed or PATTERN.search(text) is not None


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
    return text[:SHOWN_LENGTH]


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
    if not _is_on(row, "enabled"):
        raise _Refused("It is disabled there.")
    for name in ("remaining", "remaining_requests"):
        if (text := row.get(name, "")).lower() not in _NONE and _POSITIVE.fullmatch(text) is None:
            raise _Refused("It has no uses left there.")


def _drf_ended(row: Row) -> None:
    if _is_on(row, "revoked"):
        raise _Refused("It was revoked there.")


def _is_on(row: Row, name: str) -> bool:
    """What is neither true nor false may mean that the key is not to work."""
    if (text := row[name].lower()) not in _SWITCH:
        raise _Refused(f"The column {name} is neither true nor false.")
    return _SWITCH[text]


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
