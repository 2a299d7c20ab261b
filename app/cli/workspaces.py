"""Commands for workspaces: list, provision, set the plan, suspend, resume, transfer, delete."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

import click

from app import catalogue
from app.cli import output
from app.cli.runner import OPERATOR, Result, columns, command
from app.paging import Position, Window
from app.plans import service as plans
from app.provisioning import deletion, ownership
from app.provisioning.ownership import Owned, Wanted
from app.tenancy import service as tenancy
from app.tenancy.workspace import Workspace, WorkspaceFilter
from app.workspaces import service as workspaces

_COLUMNS: Final = ("id", "slug", "name", "plan", "createdAt", "suspendedAt")
_PAGE: Final = 100


@command("workspaces")
@click.option("--search", metavar="TEXT", help="A part of the name, the slug or the id.")
@click.option("--plan", metavar="PLAN", help="Those on this plan.")
@click.option("--suspended/--not-suspended", default=None, help="Suspended ones only, or others only.")
@click.option("--deleted", is_flag=True, help="Deleted ones only.")
async def list_all(search: str | None, plan: str | None, suspended: bool | None, deleted: bool) -> Result:
    """List all workspaces, the newest first."""
    filter = WorkspaceFilter(search, plan, suspended, deleted)
    found = [_shown(workspace) async for workspace in _all(filter)]
    return Result(found, columns([[output.plain(row[name]) for name in _COLUMNS] for row in found], _COLUMNS))


@command("provision-workspace")
@click.argument("name")
@click.option("--owner-email", required=True, metavar="E", help="Who is to own it; invited if they have no account.")
@click.option("--slug", metavar="SLUG", help="Its name in addresses; otherwise made from the name.")
@click.option("--plan", default=catalogue.FALLBACK_PLAN, show_default=True, metavar="PLAN", help="Its plan.")
async def provision(name: str, owner_email: str, slug: str | None, plan: str) -> Result:
    """Make a workspace for a customer.

    It is called NAME; its slug is printed. Its owner gets an e-mail. For someone without an account the link of their
    invitation is printed, too, once.
    """
    return _owned(await ownership.provision(OPERATOR, Wanted(name, owner_email, slug, plan)), owner_email)


@command("set-plan")
@click.argument("slug")
@click.argument("plan")
async def set_plan(slug: str, plan: str) -> Result:
    """Put the workspace SLUG on PLAN.

    PLAN is a name of the catalogue, e.g. scale_business. On a smaller plan no key ends; there is only no room for new ones.
    """
    workspace = await plans.change_plan(OPERATOR, slug, plan)
    return _result(workspace, f"{workspace.slug} is on the plan {workspace.plan}.")


@command("suspend-workspace")
@click.argument("slug")
async def suspend(slug: str) -> Result:
    """Refuse all keys of SLUG until it is resumed.

    From the next request on none of its keys is accepted, and its members can change nothing but revoke keys.
    """
    workspace = await workspaces.suspend(OPERATOR, slug)
    return _result(workspace, f"{workspace.slug} is suspended: none of its keys is accepted.")


@command("resume-workspace")
@click.argument("slug")
async def resume(slug: str) -> Result:
    """Accept the keys of SLUG again.

    They work from the next request on, and its members can change things again.
    """
    workspace = await workspaces.resume(OPERATOR, slug)
    return _result(workspace, f"{workspace.slug} is resumed: its keys are accepted again.")


@command("transfer-workspace")
@click.argument("slug")
@click.option("--owner-email", required=True, metavar="E", help="Who is to own it; invited if they have no account.")
async def transfer(slug: str, owner_email: str) -> Result:
    """Make someone else the only owner of SLUG.

    Those who owned it become editors. For someone without an account the link of their invitation is printed, once.
    """
    return _owned(await ownership.transfer(OPERATOR, slug, owner_email), owner_email)


@command("delete-workspace")
@click.argument("workspace_id", metavar="ID")
@click.argument("slug")
async def delete(workspace_id: str, slug: str) -> Result:
    """Permanently delete a workspace.

    ID is wsp_…, and SLUG its slug, as a confirmation. From the next request on its keys are refused as revoked; its members,
    invitations and webhooks are gone.
    """
    ended = await deletion.delete(OPERATOR, workspace_id, slug)
    return _result(ended, f"{ended.name} is deleted; the slug {slug} is free again.")


def _owned(owned: Owned, email: str) -> Result:
    workspace = owned.workspace
    note = f"{email} is invited to own {workspace.name}:" if owned.link else f"{email} owns {workspace.name}:"
    lines = (workspace.slug, owned.link) if owned.link else (workspace.slug,)
    return Result({**_shown(workspace), "invitationLink": owned.link}, lines, (note,))


async def _all(filter: WorkspaceFilter) -> AsyncIterator[Workspace]:
    after: Position | None = None
    while True:
        page = await tenancy.everywhere(OPERATOR, filter, Window(_PAGE, after=after))
        for access in page.items:
            yield access.workspace
        if not page.has_next:
            return
        after = (page.items[-1].workspace.created_at, page.items[-1].workspace.id)


def _result(workspace: Workspace, line: str) -> Result:
    return Result(_shown(workspace), (line,))


def _shown(workspace: Workspace) -> dict[str, Any]:
    return {
        "id": workspace.id,
        "slug": workspace.slug,
        "name": workspace.name,
        "plan": workspace.plan,
        "createdAt": output.instant(workspace.created_at),
        "suspendedAt": output.instant(workspace.suspended_at),
        "deletedAt": output.instant(workspace.deleted_at),
    }
