"""The way in, and the overview of a workspace: what needs attention, the plan's meter, requests over time."""

from __future__ import annotations

from dataclasses import dataclass

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from app import catalogue
from app.access.policy import Action
from app.audit import service as audit
from app.keys import service as keys
from app.keys.key import ApiKey, Status
from app.keys.listing import KeyFilter, Order, Window, place_of
from app.plans import service as plans
from app.rotations import service as rotations
from app.usage import service as usage
from app.web.endings import endings
from app.web.page import Page, with_query
from app.web.standing import Standing, rotating, standing
from app.workspaces import service as workspaces

LIVING = KeyFilter(statuses=(Status.ACTIVE, Status.SUSPENDED))
MOST_LOOKED_AT = 1_000
NEWEST_CHANGES = 6


@dataclass(frozen=True, slots=True)
class Urgent:
    """A key that wants something of somebody."""

    key: ApiKey
    standing: Standing


@get("/")
async def home(page: NamedDependency[Page]) -> Response[str]:
    return page.go(await _last_place(page))


@get("/settings/api-keys")
async def deep_link(page: NamedDependency[Page]) -> Response[str]:
    """What documentation links to: the API keys of the workspace one was in last."""
    return page.go(with_query(await _last_place(page) + "/settings/api-keys", **page.query))


@get("/w/{slug:str}")
async def overview(page: NamedDependency[Page], slug: FromPath[str]) -> Response[str]:
    here = page.here.workspace
    await workspaces.remember_last(page.signed_in.session.user.id, here.id)
    living = await _living(page)
    runs = {run.predecessor.id: run for run in await rotations.open_runs(page.actor, page.slug)}
    stands = [(key, rotating(runs.get(key.id)) or standing(key, page.now, page.zone)) for key in living]
    urgent = [Urgent(key, found) for key, found in stands if found.is_urgent]
    return page.show(
        "home/overview.html",
        urgent=sorted(urgent, key=lambda each: each.standing.rank),
        living=living,
        endings=endings(living, page.now, page.zone),
        meter=await plans.meter(here),
        usage=await usage.of_workspace(page.actor, page.slug),
        changes=await audit.page(page.actor, page.slug, limit=NEWEST_CHANGES) if page.may(Action.READ_AUDIT) else [],
        catalogue=catalogue.current(),
    )


async def _living(page: Page) -> list[ApiKey]:
    found: list[ApiKey] = []
    window = Window(100)
    while len(found) < MOST_LOOKED_AT:
        part = await keys.page(page.actor, page.slug, window, LIVING)
        found += part.keys
        if not part.has_next:
            break
        window = Window(100, after=place_of(part.keys[-1], Order.CREATED_AT))
    return found


async def _last_place(page: Page) -> str:
    last = await workspaces.last_of(page.actor)
    if last is None:
        return "/account"
    return f"/w/{last.slug}"


HANDLERS = (home, deep_link, overview)
