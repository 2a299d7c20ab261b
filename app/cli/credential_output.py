"""Descriptions of credentials of every kind, for commands that work on the database after a leak."""

from __future__ import annotations

from typing import Any

from app import database
from app.cli import output
from app.gateway_tokens.gateway_token import GatewayToken
from app.keys.key import ApiKey
from app.leaks.credentials import Credential
from app.operator_keys.operator_key import OperatorKey


async def of_credential(found: Credential) -> dict[str, Any]:
    """Its description for `--json`; never its secret."""
    if isinstance(found, GatewayToken):
        return output.of_gateway_token(found, await output.workspace_of(found.workspace_id) if found.workspace_id else None)
    if isinstance(found, OperatorKey):
        return output.of_operator_key(found, await database.now())
    workspace, now = await output.workspace_of(found.workspace_id), await database.now()
    return output.of_key(found, workspace, now) if isinstance(found, ApiKey) else output.of_management_key(found, workspace, now)
