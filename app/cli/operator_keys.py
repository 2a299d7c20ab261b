"""Operator keys, with which programs of the operator manage workspaces over GraphQL."""

from __future__ import annotations

from typing import Final

import click

from app import database
from app.cli import output
from app.cli.options import CommaSeparated, Duration
from app.cli.runner import OPERATOR, Result, columns, command
from app.management_keys.management_key import ManagementKeyInput
from app.operator_keys import service as operator_keys

_COLUMNS: Final = ("id", "name", "prefix", "scopes", "allowedIps", "status", "expiresAt", "lastUsedAt")


@command("create")
@click.argument("name")
@click.option("--scopes", required=True, type=CommaSeparated(), metavar="A,B", help="What it may do, e.g. workspaces.write.")
@click.option("--expires", required=True, type=Duration(), help="How long it lives, e.g. 30d or 12h; a year at most.")
@click.option(
    "--allow-ip", "allowed_ips", multiple=True, metavar="NETWORK", help="An address or network that may use it; repeatable."
)
async def create(name: str, scopes: tuple[str, ...], expires: int, allowed_ips: tuple[str, ...]) -> Result:
    """Make a key called NAME and print it, once.

    It manages all workspaces within its scopes, but can read none of their keys, members and logs.
    But the holder of a key with workspaces.transfer can become the owner of any workspace.
    """
    input = ManagementKeyInput(name, scopes, await database.now() + expires, allowed_ips)
    key, secret = await operator_keys.create(OPERATOR, input)
    note = f"{key.id}, called {key.name}, until {output.instant(key.expires_at)}. The key, shown this once:"
    return Result({**output.of_operator_key(key, await database.now()), "secret": secret}, (secret,), (note,))


@command("list")
async def list_all() -> Result:
    """List the keys, the newest first, those that are over too."""
    now = await database.now()
    found = [output.of_operator_key(key, now) for key in await operator_keys.keys(OPERATOR)]
    return Result(found, columns([[output.plain(key[name]) for name in _COLUMNS] for key in found], _COLUMNS))


@command("revoke")
@click.argument("key_id", metavar="ID")
async def revoke(key_id: str) -> Result:
    """Permanently revoke the key opk_…: the next request with it is refused."""
    key = await operator_keys.revoke(OPERATOR, key_id)
    return Result(output.of_operator_key(key, await database.now()), (f"{key.id}, called {key.name}, is revoked.",))


operator_key = click.Group(
    "operator-key", help="Operator keys: a program manages workspaces with one.", commands=[create, list_all, revoke]
)
