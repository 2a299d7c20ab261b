"""Commands for workspaces: set the plan, suspend, resume."""

from __future__ import annotations

import click

from app.cli import output
from app.cli.runner import OPERATOR, Result, command
from app.plans import service as plans
from app.tenancy.workspace import Workspace
from app.workspaces import service as workspaces


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


def _result(workspace: Workspace, line: str) -> Result:
    data = {
        "id": workspace.id,
        "slug": workspace.slug,
        "name": workspace.name,
        "plan": workspace.plan,
        "suspendedAt": output.instant(workspace.suspended_at),
    }
    return Result(data, (line,))
