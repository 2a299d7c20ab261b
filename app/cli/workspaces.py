"""Commands for workspaces: list, set the plan, suspend, resume."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

import click

from app.cli import output
from app.cli.runner import OPERATOR, Result, columns, command
from app.paging import Position, Window
from app.plans import service as plans
from app.tenancy import service as tenancy
from app.tenancy.workspace import Workspace, WorkspaceFilter
from app.workspaces import service as workspaces

_COLUMNS: Final = ("id", "slug", "name", "plan", "createdAt", "suspendedAt")
_PAGE: Final = 100


@command("workspaces")
@click.option("--search", metavar="TEXT", help="A part of the name, the slug or the id.")
@click.option("--plan", metavar="PLAN", help="Those on this plan.")
@click.option("--suspended/--not-suspended", default=None, help="Suspended ones only, or others only.")
async def list_all(search: str | None, plan: str | None, suspended: bool | None) -> Result:
    """List all workspaces, the newest first."""
    filter = WorkspaceFilter(search, plan, suspended)
    found = [_shown(workspace) async for workspace in _all(filter)]
    return Result(found, columns([[output.plain(row[name]) for name in _COLUMNS] for row in found], _COLUMNS))


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
    return _result(workspace, f"{workspace.slug} is at work again.")


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
    }
