"""Output of the commands: a dictionary for `--json`, with the field names of `/v1`, and lines with the same data for people."""

from __future__ import annotations

from typing import Any

from app import clock
from app.access.policy import Action
from app.cli.runner import OPERATOR
from app.gateway_tokens.gateway_token import GatewayToken
from app.keys.key import ApiKey
from app.keys.labels import shown
from app.management_keys.management_key import ManagementKey
from app.operator_keys.operator_key import OperatorKey
from app.tenancy import service as tenancy
from app.tenancy.workspace import Workspace


async def workspace_of(workspace_id: str) -> Workspace:
    """The workspace with this id. Raises NotFound."""
    return (await tenancy.reading(OPERATOR, None, Action.READ_WORKSPACE, workspace_id=workspace_id)).workspace


def instant(at: int | None) -> str | None:
    return None if at is None else clock.rfc3339(at)


def of_key(key: ApiKey, workspace: Workspace, now: int) -> dict[str, Any]:
    revoked = key.revocation
    return {
        "id": key.id,
        "kind": "API_KEY",
        "workspace": workspace.slug,
        "name": key.name,
        "prefix": key.prefix,
        "environment": key.environment,
        "description": key.description,
        "labels": [*map(shown, key.labels)],
        "permissions": [*key.permissions],
        "status": str(key.status(now)),
        "createdAt": instant(key.created_at),
        "expiresAt": instant(key.expires_at),
        "lastUsedAt": instant(key.last_used_at),
        "lastUsedIp": key.last_used_ip,
        "revokedAt": instant(revoked.at) if revoked else None,
        "revocationReason": str(revoked.reason) if revoked else None,
    }


def of_management_key(key: ManagementKey, workspace: Workspace, now: int) -> dict[str, Any]:
    return {
        "id": key.id,
        "kind": "MANAGEMENT_KEY",
        "workspace": workspace.slug,
        "name": key.name,
        "prefix": key.prefix,
        "scopes": [*key.scopes],
        "allowedIps": [*key.allowed_ips],
        "madeBy": key.maker.email if key.maker else "operator",
        "status": str(key.status(now)),
        "createdAt": instant(key.created_at),
        "expiresAt": instant(key.expires_at),
        "lastUsedAt": instant(key.last_used_at),
        "revokedAt": instant(key.revoked_at),
    }


def of_operator_key(key: OperatorKey, now: int) -> dict[str, Any]:
    return {
        "id": key.id,
        "kind": "OPERATOR_KEY",
        "name": key.name,
        "prefix": key.prefix,
        "scopes": [*key.scopes],
        "allowedIps": [*key.allowed_ips],
        "status": str(key.status(now)),
        "createdAt": instant(key.created_at),
        "expiresAt": instant(key.expires_at),
        "lastUsedAt": instant(key.last_used_at),
        "revokedAt": instant(key.revoked_at),
    }


def of_gateway_token(token: GatewayToken, workspace: Workspace | None) -> dict[str, Any]:
    """`workspace` and `environment` are None for a token that is valid for all of them."""
    return {
        "id": token.id,
        "kind": "GATEWAY_TOKEN",
        "workspace": workspace.slug if workspace else None,
        "name": token.name,
        "prefix": token.prefix,
        "environment": token.environment,
        "status": "ACTIVE" if token.revoked_at is None else "REVOKED",
        "createdAt": instant(token.created_at),
        "revokedAt": instant(token.revoked_at),
    }


def rows(data: dict[str, Any]) -> list[tuple[str, str]]:
    """`lastUsedAt` → `last used at`; missing fields are left out, and a time that is null shows as `never`."""
    shown = {"".join(f" {c.lower()}" if c.isupper() else c for c in name): value for name, value in data.items()}
    if "last used at" in shown and shown["last used at"] is None:
        shown["last used at"] = "never"
    return [(name, plain(value)) for name, value in shown.items() if value is not None]


def plain(value: Any) -> str:
    """In one line: a list with commas, an empty value as a dash."""
    return "-" if value in (None, []) else ", ".join(value) if isinstance(value, list) else str(value).replace("\n", " ")
