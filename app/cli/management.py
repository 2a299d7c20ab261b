"""Management keys: GraphQL for programs."""

from __future__ import annotations

from typing import Any, Final

import click

from app import database
from app.cli import words
from app.cli.frame import OPERATOR, Said, columns, command
from app.cli.options import Period, Words
from app.management import service as management
from app.management.key import MOST_LIVING, Asked, ManagementKey

_COLUMNS: Final = ("id", "name", "prefix", "scopes", "madeBy", "status", "expiresAt", "lastUsedAt")


@command("create")
@click.option("--workspace", required=True, metavar="SLUG", help="The workspace it works in.")
@click.option("--scopes", required=True, type=Words(), metavar="A,B", help="What it may do, e.g. keys.read,keys.write.")
@click.option("--expires", required=True, type=Period(), help="How long it lives, e.g. 30d or 12h; a year at most.")
@click.option("--name", default="Command line", show_default=True, metavar="N", help="What it is for.")
async def create(workspace: str, scopes: tuple[str, ...], expires: int, name: str) -> Said:
    """Make a key with an owner's rights within its scopes, and print it, once."""
    asked = Asked(name, scopes, await database.now() + expires)
    key, secret = await management.create(OPERATOR, workspace, asked)
    note = f"{key.id}, called {key.name}, until {words.instant(key.expires_at)}. The key, shown this once:"
    return Said({**await _shown(key), "secret": secret}, (secret,), (note,))


@command("list")
@click.option("--workspace", required=True, metavar="SLUG", help="The workspace whose keys they are.")
async def list_all(workspace: str) -> Said:
    """List a workspace's keys, the newest first, those that are over too."""
    found = [await _shown(key) for key in await _all(workspace)]
    return Said(found, columns([[words.plain(key[name]) for name in _COLUMNS] for key in found], _COLUMNS))


@command("revoke")
@click.argument("key_id", metavar="ID")
async def revoke(key_id: str) -> Said:
    """Revoke the key mgk_…, for ever: the next request with it is refused."""
    key = await management.revoke(OPERATOR, key_id)
    return Said(await _shown(key), (f"{key.id}, called {key.name}, is revoked.",))


management_key = click.Group(
    "management-key", help="Management keys: a program uses GraphQL with one.", commands=[create, list_all, revoke]
)


async def _all(slug: str) -> list[ManagementKey]:
    found: list[ManagementKey] = []
    while page := await management.page(
        OPERATOR, slug, limit=MOST_LIVING, after=(found[-1].created_at, found[-1].id) if found else None
    ):
        found += page
    return found


async def _shown(key: ManagementKey) -> dict[str, Any]:
    return words.of_management_key(key, await words.workspace_of(key.workspace_id), await database.now())
