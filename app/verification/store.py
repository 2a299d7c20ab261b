"""The only read of a batch: keys with workspaces and open rotations, gateway tokens and the database's clock, in one snapshot."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from app import clock
from app.database.hot_path import Hot, Row
from app.database.sql import living
from app.database.statements import Lookup, Upsert
from app.rotations.rotation import OnDeadline
from app.verification.deprecation import Rotating
from app.verification.verdict import Gateway, KeyRecord

_KEYS: Final = (
    "SELECT 'k', k.digest, {now}, k.id, k.workspace, k.environment, k.revoked_at, k.pepper_version, k.name, k.permissions,"
    " k.allowed_ips, k.expires_at, k.suspended_at, w.slug, w.suspended_at, w.logs_requests, s.id, r.started_at, r.deadline,"
    " r.on_deadline"
    " FROM api_key k JOIN workspace w ON w.id = k.workspace"
    # A run is open only while its successor lives.
    " LEFT JOIN rotation r ON r.predecessor = k.id AND r.ended_at IS NULL"
    f" LEFT JOIN api_key s ON s.id = r.successor AND {living('s', '{now}')}"
    " WHERE k.digest "
)
_GATEWAYS: Final = (
    "SELECT 'g', g.digest, {now}, g.id, g.workspace, g.environment, g.revoked_at, g.pepper_version, g.name, '',"
    " '', NULL, NULL, '', NULL, 0, NULL, NULL, NULL, NULL"
    " FROM gateway_token g WHERE g.digest "
)
_LOOKUP: Final = Lookup(f"{_KEYS}{{0}} UNION ALL {_GATEWAYS}{{1}}")
# The same with texts that may be imported keys. They are looked up only if there are any, which this very statement finds out.
_WITH_IMPORTED: Final = Lookup(
    f"{_LOOKUP.text} UNION ALL {_KEYS}{{2}} AND EXISTS (SELECT 1 FROM imported_key)"
    " UNION ALL SELECT 'i', NULL, {now}, NULL, NULL, NULL, NULL, NULL, NULL, '',"
    " '', NULL, NULL, '', NULL, 0, NULL, NULL, NULL, NULL FROM (SELECT 1 AS one FROM imported_key LIMIT 1) i"
)


_PROBED: Final = "ON CONFLICT (name) DO UPDATE SET until = excluded.until"


@dataclass(frozen=True, slots=True)
class Found:
    """The result of one read, by digest. `now` is None if it found nothing: then nothing depends on the time."""

    now: int | None
    keys: dict[bytes, KeyRecord]
    gateways: dict[bytes, Gateway]
    any_imported: bool = False


async def read(hot: Hot, key_digests: list[bytes], token_digests: list[bytes], imported: Sequence[bytes] = ()) -> Found:
    """Everything a batch needs to know, in one statement. `imported`: digests of texts that may be imported keys. Raises
    Unavailable."""
    if imported:
        rows = await hot.read(_WITH_IMPORTED, key_digests, token_digests, list(imported))
    else:
        rows = await hot.read(_LOOKUP, key_digests, token_digests)
    keys = {row[1]: _key(row) for row in rows if row[0] == "k"}
    gateways = {row[1]: Gateway(row[3], row[4], row[5], row[7]) for row in rows if row[0] == "g" and row[6] is None}
    any_imported = bool(imported) and any(row[0] == "i" for row in rows)
    return Found(rows[0][2] if rows else None, keys, gateways, any_imported)


async def probe(hot: Hot) -> None:
    """Reads like a verification, and writes a row that nothing else uses. Raises Unavailable."""
    await read(hot, [b""], [b""])
    # A different value each time: SQLite writes nothing for an unchanged row, not even on a full disk.
    value = secrets.randbelow(clock.SECOND)
    await hot.write([Upsert("job", (("name", "text"), ("until", "bigint")), _PROBED, [("readiness", value)])])


def _key(row: Row) -> KeyRecord:
    key_id, workspace_id, environment, revoked_at, version, name, permissions, ips, expires_at, own, slug, whole, logs = row[3:16]
    return KeyRecord(
        id=key_id,
        workspace_id=workspace_id,
        workspace=slug,
        name=name,
        environment=environment,
        permissions=tuple(permissions.split()),
        allowed_ips=tuple(ips.split()),
        expires_at=expires_at,
        # A suspended workspace suspends its keys; the earlier of the two instants counts.
        suspended_at=own if whole is None or (own is not None and own < whole) else whole,
        revoked_at=revoked_at,
        pepper_version=version,
        rotating=None if row[16] is None else _rotating(*row[17:20]),
        logs_requests=bool(logs),
    )


def _rotating(started_at: int, deadline: int, on_deadline: str) -> Rotating:
    return Rotating(started_at, deadline if on_deadline == OnDeadline.REVOKE else None)
