"""The way in, and the overview of a workspace: what needs attention, the plan's meter, requests over time."""

from __future__ import annotations

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from app.access.policy import Action
from app.audit import service as audit
from app.plans import service as plans
from app.usage import service as usage
from app.web.attention import attention
from app.web.endings import ending_keys, endings
from app.web.page import Page, with_query
from app.workspaces import service as workspaces

NEWEST_CHANGES = 6


@get("/")
async def home(page: NamedDependency[Page]) -> Response[str]:
    return page.go(await _last_place(page))


@get("/settings/api-keys")
async def deep_link(page: NamedDependency[Page]) -> Response[str]:
    """What documentation links to: the API keys of the workspace one was in last."""
    return page.go(with_query(await _last_place(page) + "/settings/api-keys", **page.query))


@get("/w/{slug:str}/settings")
async def settings(page: NamedDependency[Page], slug: FromPath[str]) -> Response[str]:
    """The address of any setting, cut short."""
    return page.go(page.to("settings", "api-keys"))


@get("/w/{slug:str}")
async def overview(page: NamedDependency[Page], slug: FromPath[str]) -> Response[str]:
    here = page.here.workspace
    await workspaces.remember_last(page.signed_in.session.user.id, here.id)
    return page.show(
        "home/overview.html",
        attention=await attention(page),
        endings=endings(await ending_keys(page), page.now, page.zone),
        meter=await plans.meter(here),
        usage=await usage.of_workspace(page.actor, page.slug),
        changes=await audit.page(page.actor, page.slug, limit=NEWEST_CHANGES) if page.may(Action.READ_AUDIT) else [],
    )


async def _last_place(page: Page) -> str:
    last = await workspaces.last_of(page.actor)
    if last is None:
        return "/account"
    return f"/w/{last.slug}"


HANDLERS = (home, deep_link, settings, overview)
