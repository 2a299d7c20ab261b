"""The one read of a batch: keys with their workspaces and open rotations, gateway tokens, the database's clock, at one moment."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Final

from app import clock, database
from app.database.hot import Hot, Row
from app.database.statements import Lookup, Upsert
from app.rotations.rotation import OnDeadline
from app.verification.notice import Rotating
from app.verification.verify import Gateway, HeldKey

_LOOKUP: Final = Lookup(
    "SELECT 'k', k.digest, {now}, k.id, k.workspace, k.environment, k.revoked_at, k.pepper_version, k.name, k.permissions,"
    " k.allowed_ips, k.expires_at, k.suspended_at, w.slug, w.suspended_at, s.id, r.started_at, r.deadline, r.on_deadline"
    " FROM api_key k JOIN workspace w ON w.id = k.workspace"
    # A run is open only while its successor lives.
    " LEFT JOIN rotation r ON r.predecessor = k.id AND r.ended_at IS NULL"
    " LEFT JOIN api_key s ON s.id = r.successor AND s.revoked_at IS NULL AND (s.expires_at IS NULL OR s.expires_at > {now})"
    " WHERE k.digest {0}"
    " UNION ALL"
    " SELECT 'g', g.digest, {now}, g.id, g.workspace, g.environment, g.revoked_at, g.pepper_version, g.name, '',"
    " '', NULL, NULL, '', NULL, NULL, NULL, NULL, NULL"
    " FROM gateway_token g WHERE g.digest {1}"
)


_PROBED: Final = "ON CONFLICT (name) DO UPDATE SET until = excluded.until"


@dataclass(frozen=True, slots=True)
class Found:
    """What one read found, by digest. `now` is None if it found nothing at all: then there is nothing to judge by time."""

    now: int | None
    keys: dict[bytes, HeldKey]
    gateways: dict[bytes, Gateway]


async def read(hot: Hot, key_digests: list[bytes], token_digests: list[bytes]) -> Found:
    """Everything a batch needs to know, in one statement. Raises Unavailable."""
    rows = await hot.read(_LOOKUP, key_digests, token_digests)
    keys = {row[1]: _key(row) for row in rows if row[0] == "k"}
    gateways = {row[1]: Gateway(row[3], row[4], row[5], row[7]) for row in rows if row[0] == "g" and row[6] is None}
    return Found(rows[0][2] if rows else None, keys, gateways)


async def probe(hot: Hot) -> None:
    """Reads what verification reads and writes one row where nothing else does. Raises Unavailable."""
    await read(hot, [b""], [b""])
    # Another value each time: SQLite writes nothing for a row that stays as it is, not even to a disk that is full.
    value = secrets.randbelow(clock.SECOND)
    await hot.write([Upsert("job", (("name", "text"), ("until", "bigint")), _PROBED, [("readiness", value)])])


async def is_permission_held(name: str) -> bool:
    """Whether some living key still holds a permission that left the catalogue."""
    rows = await database.fetch(
        "SELECT 1 AS held FROM api_key WHERE revoked_at IS NULL AND (' ' || permissions || ' ') LIKE {} ESCAPE '!' LIMIT 1",
        f"% {name.replace('!', '!!').replace('%', '!%').replace('_', '!_')} %",
    )
    return bool(rows)


async def is_environment_held(name: str) -> bool:
    """Whether some living key still runs in an environment that left the catalogue."""
    rows = await database.fetch("SELECT 1 AS held FROM api_key WHERE revoked_at IS NULL AND environment = {} LIMIT 1", name)
    return bool(rows)


async def redigest_key(key_id: str, digest: bytes, pepper_version: int) -> None:
    """The key's digest under a newer pepper; never back to an older one."""
    await _redigest("api_key", key_id, digest, pepper_version)


async def redigest_gateway_token(token_id: str, digest: bytes, pepper_version: int) -> None:
    """The same for a gateway token."""
    await _redigest("gateway_token", token_id, digest, pepper_version)


async def _redigest(table: str, row_id: str, digest: bytes, pepper_version: int) -> None:
    await database.fetch(
        f"UPDATE {table} SET digest = {{}}, pepper_version = {{}} WHERE id = {{}} AND pepper_version < {{}}",
        digest,
        pepper_version,
        row_id,
        pepper_version,
    )


def _key(row: Row) -> HeldKey:
    key_id, workspace_id, environment, revoked_at, version, name, permissions, ips, expires_at, own, slug, whole = row[3:15]
    return HeldKey(
        id=key_id,
        workspace_id=workspace_id,
        workspace=slug,
        name=name,
        environment=environment,
        permissions=tuple(permissions.split()),
        allowed_ips=tuple(ips.split()),
        expires_at=expires_at,
        # A suspended workspace suspends its keys; the earlier of the two is since when.
        suspended_at=own if whole is None or (own is not None and own < whole) else whole,
        revoked_at=revoked_at,
        pepper_version=version,
        rotating=None if row[15] is None else _rotating(*row[16:19]),
    )


def _rotating(started_at: int, deadline: int, on_deadline: str) -> Rotating:
    return Rotating(started_at, deadline if on_deadline == OnDeadline.REVOKE else None)
