"""Gateway tokens, with which a protected service may call `/v1/*`."""

from __future__ import annotations

from typing import Any, Final

import click

from app.cli import output
from app.cli.runner import OPERATOR, Result, columns, command
from app.gateway_tokens import service as gateway_tokens
from app.gateway_tokens.gateway_token import GatewayToken

_COLUMNS: Final = ("id", "name", "prefix", "workspace", "environment", "status")


@command("create")
@click.argument("name")
@click.option("--workspace", metavar="SLUG", help="It answers about keys of this workspace only.")
@click.option("--environment", metavar="E", help="It lets keys of this environment through only.")
async def create(name: str, workspace: str | None, environment: str | None) -> Result:
    """Make a token called NAME and print it, once."""
    made = await gateway_tokens.create(OPERATOR, name, workspace=workspace, environment=environment)
    note = f"{made.token.id}, called {made.token.name}. The token, shown this once:"
    return Result({**await _shown(made.token), "secret": made.secret}, (made.secret,), (note,))


@command("list")
async def list_all() -> Result:
    """List the tokens, the newest first, the revoked ones too."""
    found = [await _shown(token) for token in await gateway_tokens.tokens(OPERATOR)]
    return Result(found, columns([[output.plain(token[name]) for name in _COLUMNS] for token in found], _COLUMNS))


@command("revoke")
@click.argument("id_or_name", metavar="ID|NAME")
async def revoke(id_or_name: str) -> Result:
    """Take a token back: from the next request on nobody gets an answer with it."""
    token = await gateway_tokens.revoke(OPERATOR, id_or_name)
    return Result(await _shown(token), (f"{token.id}, called {token.name}, is revoked.",))


gateway_token = click.Group(
    "gateway-token", help="Gateway tokens: protected services ask /v1 with one.", commands=[create, list_all, revoke]
)


async def _shown(token: GatewayToken) -> dict[str, Any]:
    return output.of_gateway_token(token, await output.workspace_of(token.workspace_id) if token.workspace_id else None)
