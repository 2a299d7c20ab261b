"""Commands for users: create a workspace's owner, and a link for a user who forgot their password."""

from __future__ import annotations

import click

from app.authentication import service as authentication
from app.cli.runner import OPERATOR, Result, command, secret


@command("create-owner", make=True)
@click.option("--email", required=True, metavar="E", help="The owner's e-mail address.")
@click.option("--name", required=True, metavar="N", help="The owner's name; someone who has an account keeps theirs.")
@click.option("--workspace", required=True, metavar="W", help="The name of the new workspace.")
async def create_owner(email: str, name: str, workspace: str) -> Result:
    """Make a workspace with an owner; prints its slug.

    The password is read from stdin or asked for, only if there is no account with this address yet. Someone who has one
    gets one more workspace; their name and password stay.
    """
    password = None if await authentication.user_exists(OPERATOR, email) else secret("Password", confirm=True)
    owner, made = await authentication.create_owner(OPERATOR, email=email, name=name, password=password, workspace=workspace)
    data = {"id": made.id, "slug": made.slug, "name": made.name, "plan": made.plan, "owner": owner.id}
    return Result(data, (made.slug,), (f"{owner.name} owns this workspace: {made.name}", "Its slug:"))


@command("password-reset")
@click.option("--email", required=True, metavar="E", help="The address of the account.")
async def password_reset(email: str) -> Result:
    """Print a link to choose a new password.

    It works once, for an hour. Give it only to the person whose account it is.
    """
    link = await authentication.password_reset_link(OPERATOR, email)
    return Result({"email": email, "link": link}, (link,), ("Works once, for an hour:",))
