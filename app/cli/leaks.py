"""For the night something leaks: whose secret is this, and an end to it. The secret comes from stdin or a hidden prompt."""

from __future__ import annotations

from typing import Any

import click

from app import database
from app.cli import words
from app.cli.frame import OPERATOR, Said, columns, command, secret, settings
from app.errors import Conflict, NotFound
from app.gateways import service as gateways
from app.gateways.token import GatewayToken
from app.keys import journal
from app.keys import service as keys
from app.keys.key import ApiKey, Reason
from app.keys.secret import PATTERN
from app.management import service as management
from app.management.key import ManagementKey

Credential = ApiKey | ManagementKey | GatewayToken


@command("find")
async def find() -> Said:
    """Tell whose secret it is.

    Reads the secret of an API key, a management key or a gateway token, or a line of text that holds one.
    """
    return _said(await _shown(await _found(secret("Secret"))))


@command("revoke")
@click.option("--reason", required=True, type=click.Choice([*Reason]), help="Why; the workspace reads it too.")
@click.option("--note", metavar="TEXT", help="More about it.")
@click.option("--key", "key_id", metavar="ID", help="The API key key_…, where the secret is not at hand.")
async def revoke(reason: str, note: str | None, key_id: str | None) -> Said:
    """Revoke what a secret opens, for ever.

    Reads the secret as find does, unless --key names an API key. When this returns, no request that begins afterwards is
    accepted with it, on any node. A management key or a gateway token ends too; reason and note are kept for API keys.
    """
    found: Credential = await keys.get(OPERATOR, key_id) if key_id else await _found(secret("Secret"))
    return _said(await _shown(await _ended(found, Reason(reason), note)), *_worries())


async def _found(text: str) -> Credential:
    """What this secret opens. Raises NotFound, or Conflict for one of the settings', which only they can take back."""
    match = PATTERN.search(text)
    given = match.group() if match else text.strip()
    if given in settings().gateway_tokens:
        raise Conflict("This is one of KEYDESK_GATEWAY_TOKENS. Take it out there and restart every node.")
    for look in (keys.find_by_secret, management.find_by_secret, gateways.find_by_secret):
        found: Credential | None = await look(OPERATOR, given)
        if found is not None:
            return found
    raise NotFound("key or token")


async def _ended(found: Credential, reason: Reason, note: str | None) -> Credential:
    match found:
        case ApiKey():
            return await keys.revoke(OPERATOR, found.id, reason, note)
        case ManagementKey():
            return await management.revoke(OPERATOR, found.id)
        case GatewayToken():
            return await gateways.revoke(OPERATOR, found.id)


async def _shown(found: Credential) -> dict[str, Any]:
    if isinstance(found, GatewayToken):
        return words.of_gateway_token(found, await words.workspace_of(found.workspace_id) if found.workspace_id else None)
    workspace, now = await words.workspace_of(found.workspace_id), await database.now()
    return words.of_key(found, workspace, now) if isinstance(found, ApiKey) else words.of_management_key(found, workspace, now)


def _said(data: dict[str, Any], *notes: str) -> Said:
    return Said(data, columns(words.rows(data)), notes)


def _worries() -> tuple[str, ...]:
    failing = journal.current().failing
    return (f"It is revoked, but the revocation journal cannot be written: {failing}",) if failing else ()
