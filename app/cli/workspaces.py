"""Workspaces: their plan, and whether they may do anything at all."""

from __future__ import annotations

import click

from app.cli.frame import OPERATOR, Said, command
from app.plans import service as plans


@command("set-plan")
@click.argument("slug")
@click.argument("plan")
async def set_plan(slug: str, plan: str) -> Said:
    """Put the workspace SLUG on the plan PLAN of the catalogue, up or down. No key ends by it."""
    workspace = await plans.change_plan(OPERATOR, slug, plan)
    data = {"id": workspace.id, "slug": workspace.slug, "plan": workspace.plan}
    return Said(data, (f"{workspace.slug} is on the plan {workspace.plan}.",))
