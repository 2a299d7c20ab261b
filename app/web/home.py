"""The start page, and the overview of a workspace: what needs attention, the checklist's score, the plan's meter,
requests over time."""

from __future__ import annotations

from litestar import Response, get
from litestar.di import NamedDependency

from app.access.policy import Action
from app.audit import service as audit
from app.checklist import service as checklists
from app.plans import service as plans
from app.rotations import service as rotations
from app.usage import service as usage
from app.web.first_steps import first_steps
from app.web.framework.page import Page, with_query
from app.web.needs_attention import keys_needing_attention
from app.web.presentation.expiry_chart import expiring_keys, expiry_chart
from app.web.presentation.usage_chart import compared
from app.web.usage import choice
from app.workspaces import service as workspaces

NEWEST_CHANGES = 6


@get("/")
async def home(page: NamedDependency[Page]) -> Response[str]:
    return page.go(await _last_workspace_path(page))


@get("/settings/api-keys")
async def deep_link(page: NamedDependency[Page]) -> Response[str]:
    """The target of links in documentation: the API keys of the last visited workspace."""
    return page.go(with_query(await _last_workspace_path(page) + "/settings/api-keys", **page.query))


@get("/w/{slug:str}/settings")
async def settings(page: NamedDependency[Page]) -> Response[str]:
    """A shortened URL of any settings page."""
    return page.go(page.to("settings", "api-keys"))


@get("/w/{slug:str}")
async def overview(page: NamedDependency[Page]) -> Response[str]:
    here = page.access.workspace
    await workspaces.remember_last(page.signed_in.session.user.id, here.id)
    shown, open_rotations = choice(page), await rotations.open_rotations(page.access)
    used, comparison = await usage.of_workspace_compared(page.access, *shown.range.span)
    return page.show(
        "home/overview.html",
        shown.status,
        **shown.context,
        steps=await first_steps(page),
        attention=await keys_needing_attention(page, open_rotations),
        expiry_chart=expiry_chart(await expiring_keys(page), page.now, page.zone),
        checklist=await checklists.of_workspace(page.access, [progress.rotation for progress in open_rotations]),
        meter=await plans.meter(page.access),
        usage=used,
        compared=compared(comparison) if comparison else None,
        callers=await usage.callers_of_workspace(page.access, *shown.range.span),
        changes=await audit.page(page.access, limit=NEWEST_CHANGES) if page.may(Action.READ_AUDIT) else [],
    )


async def _last_workspace_path(page: Page) -> str:
    last = await workspaces.last_of(page.actor, page.memberships)
    return "/account" if last is None else f"/w/{last.workspace.slug}"


HANDLERS = (home, deep_link, settings, overview)
