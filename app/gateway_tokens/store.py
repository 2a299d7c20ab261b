"""Rows of gateway tokens. Verification reads them with its own statement."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from app import database
from app.gateway_tokens.gateway_token import GatewayToken
from app.gateway_tokens.tables import GatewayTokenRow


async def add(token: GatewayToken, digest: bytes, pepper_version: int) -> None:
    await GatewayTokenRow.insert(
        GatewayTokenRow(
            id=token.id,
            name=token.name,
            prefix=token.prefix,
            digest=digest,
            pepper_version=pepper_version,
            workspace=token.workspace_id,
            environment=token.environment,
            created_at=token.created_at,
        )
    ).run()


async def tokens() -> list[GatewayToken]:
    """Newest first, the revoked ones too."""
    rows = await GatewayTokenRow.select().order_by(GatewayTokenRow.created_at, GatewayTokenRow.id, ascending=False).run()
    return [_token(row) for row in rows]


async def find(id_or_name: str) -> list[GatewayToken]:
    """The token of this id, or the living ones of this name."""
    by_name = (GatewayTokenRow.name == id_or_name) & (GatewayTokenRow.revoked_at.is_null())
    return [_token(row) for row in await GatewayTokenRow.select().where((GatewayTokenRow.id == id_or_name) | by_name).run()]


async def find_by_digests(digests: Collection[bytes]) -> GatewayToken | None:
    row = await GatewayTokenRow.select().where(GatewayTokenRow.digest.is_in([*digests])).first().run()
    return _token(row) if row else None


async def revoke(token_id: str, at: int) -> None:
    await GatewayTokenRow.update({GatewayTokenRow.revoked_at: at}).where(GatewayTokenRow.id == token_id).run()


async def redigest(token_id: str, digest: bytes, pepper_version: int) -> None:
    """The token's digest under a newer pepper; never back to an older one."""
    await database.fetch(
        "UPDATE gateway_token SET digest = {}, pepper_version = {} WHERE id = {} AND pepper_version < {}",
        *(digest, pepper_version, token_id, pepper_version),
    )


async def count_by_pepper() -> dict[int, int]:
    """How many living tokens each pepper version still has."""
    found: dict[int, int] = {}
    for row in await GatewayTokenRow.select(GatewayTokenRow.pepper_version).where(GatewayTokenRow.revoked_at.is_null()).run():
        found[row["pepper_version"]] = found.get(row["pepper_version"], 0) + 1
    return found


def _token(row: dict[str, Any]) -> GatewayToken:
    return GatewayToken(
        row["id"], row["name"], row["prefix"], row["workspace"], row["environment"], row["created_at"], row["revoked_at"]
    )
