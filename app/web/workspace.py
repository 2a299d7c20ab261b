"""A further workspace of one's own; the settings of a workspace: name, time zone, business hours, log of requests; its deletion."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from litestar import Response, get, post
from litestar.di import NamedDependency

from app import catalogue
from app.access.policy import Action
from app.errors import Conflict, NotAllowed, Problem, ValidationFailed
from app.plans import service as plans
from app.provisioning import deletion, self_service
from app.tenancy.workspace import DAYS, BusinessHours
from app.versions import Stale
from app.web.framework.form import Form
from app.web.framework.page import Page, with_query
from app.web.user_forms import render_invalid
from app.workspaces import service as workspaces
from app.workspaces import validation

NEW: Final = "/workspaces/new"
SETTINGS: Final = "/w/{slug:str}/settings/workspace"
# The field `requests` of the form.
LOG_CHOICES: Final = {"logged": True, "not-logged": False}


@get(NEW)
async def blank(page: NamedDependency[Page]) -> Response[str]:
    return await _new(page)


@post(NEW, status_code=200)
async def create(page: NamedDependency[Page]) -> Response[str]:
    """The same form sent twice makes one workspace, and both answers lead to it."""
    try:
        made = await self_service.create(page.actor, page.form.text("name"), idempotency_key=page.form.sending)
    except (ValidationFailed, Conflict, NotAllowed) as problem:
        return await _new(page, problem)
    return page.go(with_query(f"/w/{made.slug}", done="created"))


@get(SETTINGS)
async def settings(page: NamedDependency[Page]) -> Response[str]:
    return _settings(page)


@post(SETTINGS, status_code=200)
async def change(page: NamedDependency[Page]) -> Response[str]:
    form = page.form
    try:
        await workspaces.update(
            page.actor,
            page.slug,
            name=form.text("name"),
            timezone=form.text("timezone"),
            business_hours=_hours(form),
            logs_requests=LOG_CHOICES.get(form.text("requests")),
            expected=form.text("seen") or None,
        )
    except Stale:
        return _settings(page, stale=True)
    except ValidationFailed as problem:
        return _settings(page, problem)
    return page.go(page.to("settings", "workspace", done="yes"))


@get(f"{SETTINGS}/deletion")
async def deletion_form(page: NamedDependency[Page]) -> Response[str]:
    page.require(Action.DELETE_WORKSPACE)
    return await _deletion(page)


@post(f"{SETTINGS}/deletion", status_code=200)
async def delete(page: NamedDependency[Page]) -> Response[str]:
    try:
        await deletion.delete(page.actor, page.access.workspace.id, page.form.text("slug"))
    except ValidationFailed as problem:
        return await _deletion(page, problem)
    return page.go(with_query("/account", done="deleted"))


@cache
def zones() -> Mapping[str, tuple[str, ...]]:
    """The offered time zones, grouped by the region that their names begin with; those without one come first."""
    grouped: dict[str, list[str]] = {}
    for name in sorted(validation.offered_timezones(), key=lambda name: ("/" in name, name)):
        grouped.setdefault(name.partition("/")[0] if "/" in name else "General", []).append(name)
    return {region: tuple(names) for region, names in grouped.items()}


def _hours(form: Form) -> BusinessHours | workspaces.Unset | None:
    """What the form chooses; None: no business hours."""
    match form.text("hours"):
        case "none":
            return None
        case "set":
            days, opens, closes = (f"businessHours.{name}" for name in ("days", "opens", "closes"))
            return BusinessHours(form.texts(days), form.text(opens), form.text(closes))
        case _:
            return workspaces.UNSET


async def _new(page: Page, problem: Problem | None = None) -> Response[str]:
    """With the navigation of the last visited workspace, like the account. Says what can be done if no other one is allowed."""
    page.url_access = await workspaces.last_of(page.actor, page.memberships)
    context: dict[str, Any] = {
        "plan": catalogue.current().plan(catalogue.FALLBACK_PLAN),
        "owned": self_service.owned(page.memberships),
        "refusal": self_service.refusal(page.memberships),
    }
    if problem:
        return render_invalid(page, "workspace/new.html", problem, **context)
    return page.show("workspace/new.html", **context)


def _settings(page: Page, problem: Problem | None = None, *, stale: bool = False) -> Response[str]:
    """`stale`: someone else has changed the settings meanwhile; the form shows the user's input next to the current values."""
    workspace = page.access.workspace
    context: dict[str, Any] = {"workspace": workspace, "zones": zones(), "days": DAYS, "stale": stale}
    if problem:
        return render_invalid(page, "workspace/settings.html", problem, **context)
    return page.show("workspace/settings.html", 409 if stale else 200, **context)


async def _deletion(page: Page, problem: Problem | None = None) -> Response[str]:
    context: dict[str, Any] = {"workspace": page.access.workspace, "meter": await plans.meter(page.access)}
    if problem:
        return render_invalid(page, "workspace/deletion.html", problem, **context)
    return page.show("workspace/deletion.html", **context)


HANDLERS = (blank, create, settings, change, deletion_form, delete)
