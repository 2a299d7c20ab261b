"""Gateway tokens: what lets a protected service ask `/v1/*`."""

from __future__ import annotations

from typing import Any

import click

from app.cli.frame import OPERATOR, Said, command
from app.gateways import service as gateways
from app.gateways.token import GatewayToken


@command("create")
@click.argument("name")
@click.option("--workspace", metavar="SLUG", help="Only keys of this workspace are known to the token.")
@click.option("--environment", metavar="E", help="Only keys of this environment are let through.")
async def create(name: str, workspace: str | None, environment: str | None) -> Said:
    """Make a token called NAME and print it, once."""
    made = await gateways.create(OPERATOR, name, workspace=workspace, environment=environment)
    note = f"{made.token.id}, called {made.token.name}. The token is shown this once:"
    return Said({**_shown(made.token), "secret": made.secret}, (made.secret,), (note,))


gateway_token = click.Group("gateway-token", help="Gateway tokens: a protected service asks /v1 with one.", commands=[create])


def _shown(token: GatewayToken) -> dict[str, Any]:
    return {
        "id": token.id,
        "name": token.name,
        "prefix": token.prefix,
        "workspaceId": token.workspace_id,
        "environment": token.environment,
    }
