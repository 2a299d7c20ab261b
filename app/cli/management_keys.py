"""Management keys, with which programs use GraphQL."""

from __future__ import annotations

from typing import Any, Final

import click

from app import database
from app.cli import output
from app.cli.options import CommaSeparated, Duration
from app.cli.runner import OPERATOR, Result, columns, command
from app.management_keys import service as management_keys
from app.management_keys.management_key import MOST_LIVING, ManagementKey, ManagementKeyInput
from app.paging import Window
from app.tenancy import service as tenancy

_COLUMNS: Final = ("id", "name", "prefix", "scopes", "allowedIps", "madeBy", "status", "expiresAt", "lastUsedAt")


@command("create")
@click.option("--workspace", required=True, metavar="SLUG", help="The workspace it works in.")
@click.option("--scopes", required=True, type=CommaSeparated(), metavar="A,B", help="What it may do, e.g. keys.read,keys.write.")
@click.option("--expires", required=True, type=Duration(), help="How long it lives, e.g. 30d or 12h; a year at most.")
@click.option(
    "--allow-ip", "allowed_ips", multiple=True, metavar="NETWORK", help="An address or network that may use it; repeatable."
)
@click.option("--name", default="Command line", show_default=True, metavar="N", help="What it is for.")
async def create(workspace: str, scopes: tuple[str, ...], expires: int, allowed_ips: tuple[str, ...], name: str) -> Result:
    """Make a key with an owner's rights within its scopes, and print it, once."""
    input = ManagementKeyInput(name, scopes, await database.now() + expires, allowed_ips)
    key, secret = await management_keys.create(OPERATOR, workspace, input)
    note = f"{key.id}, called {key.name}, until {output.instant(key.expires_at)}. The key, shown this once:"
    return Result({**await _shown(key), "secret": secret}, (secret,), (note,))


@command("list")
@click.option("--workspace", required=True, metavar="SLUG", help="The workspace whose keys they are.")
async def list_all(workspace: str) -> Result:
    """List a workspace's keys, the newest first, those that are over too."""
    found = [await _shown(key) for key in await _all(workspace)]
    return Result(found, columns([[output.plain(key[name]) for name in _COLUMNS] for key in found], _COLUMNS))


@command("revoke")
@click.argument("key_id", metavar="ID")
async def revoke(key_id: str) -> Result:
    """Permanently revoke the key mgk_…: the next request with it is refused."""
    key = await management_keys.revoke(OPERATOR, key_id)
    return Result(await _shown(key), (f"{key.id}, called {key.name}, is revoked.",))


management_key = click.Group(
    "management-key", help="Management keys: a program uses GraphQL with one.", commands=[create, list_all, revoke]
)


async def _all(slug: str) -> list[ManagementKey]:
    access = await tenancy.seen(OPERATOR, slug)
    page = await management_keys.page(access, Window(MOST_LIVING))
    found = [*page.items]
    while page.has_next:
        page = await management_keys.page(access, Window(MOST_LIVING, after=(found[-1].created_at, found[-1].id)))
        found += page.items
    return found


async def _shown(key: ManagementKey) -> dict[str, Any]:
    return output.of_management_key(key, await output.workspace_of(key.workspace_id), await database.now())
