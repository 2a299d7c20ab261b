"""Management keys: GraphQL for programs."""

from __future__ import annotations

from typing import Any

import click

from app import clock, database
from app.cli.frame import OPERATOR, Said, command
from app.cli.options import Period, Words
from app.management import service as management
from app.management.key import Asked, ManagementKey


@command("create")
@click.option("--workspace", required=True, metavar="SLUG", help="The workspace it works in.")
@click.option("--scopes", required=True, type=Words(), metavar="A,B", help="What it may do, e.g. keys.read,keys.write.")
@click.option("--expires", required=True, type=Period(), help="How long it lives, e.g. 30d or 12h; a year at most.")
@click.option("--name", default="Command line", show_default=True, metavar="N", help="What it is for.")
async def create(workspace: str, scopes: tuple[str, ...], expires: int, name: str) -> Said:
    """Make a key with an owner's rights within its scopes, and print it, once."""
    asked = Asked(name, scopes, await database.now() + expires)
    key, secret = await management.create(OPERATOR, workspace, asked)
    note = f"{key.id}, called {key.name}, until {clock.rfc3339(key.expires_at)}. The key is shown this once:"
    return Said({**_shown(key), "secret": secret}, (secret,), (note,))


management_key = click.Group("management-key", help="Management keys: a program uses GraphQL with one.", commands=[create])


def _shown(key: ManagementKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "prefix": key.prefix,
        "workspaceId": key.workspace_id,
        "scopes": [*key.scopes],
        "expiresAt": clock.rfc3339(key.expires_at),
    }
