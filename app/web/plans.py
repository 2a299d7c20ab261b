"""The plan of a workspace: its meter, the comparison of all plans, and changing it."""

from __future__ import annotations

from typing import Final

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from app import catalogue
from app.access.policy import Action
from app.errors import NotFound
from app.plans import service as plans
from app.web.framework.page import Page

PLAN: Final = "/w/{slug:str}/settings/plan"


@get(PLAN)
async def compare(page: NamedDependency[Page]) -> Response[str]:
    meter, known = await plans.meter(page.access), catalogue.current().plans
    may_change = page.may(Action.CHANGE_PLAN)
    open_to_us = {name for name, plan in known.items() if may_change and plans.may_choose(meter.plan, plan)}
    return page.show("plans/page.html", meter=meter, plans=known.values(), open_to_us=open_to_us)


@get(f"{PLAN}/{{name:str}}")
async def choice(page: NamedDependency[Page], name: FromPath[str]) -> Response[str]:
    meter, plan = await plans.meter(page.access), catalogue.current().plans.get(name)
    if plan is None or not page.may(Action.CHANGE_PLAN) or not plans.may_choose(meter.plan, plan):
        raise NotFound("plan to choose")
    return page.show("plans/choice.html", meter=meter, plan=plan)


@post(f"{PLAN}/{{name:str}}", status_code=200)
async def choose(page: NamedDependency[Page], name: FromPath[str]) -> Response[str]:
    await plans.change_plan(page.actor, page.slug, name)
    return page.go(page.to("settings", "plan"))


HANDLERS = (compare, choice, choose)
