"""Creating an API key: the form, its review, and the secret, which is shown once.

With script a summary beside the form replaces the review. The URLs of the form and the review contain the input, so that Back,
Forward and Reload keep it.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlencode

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from app import catalogue
from app.access.policy import Action
from app.errors import FieldProblem, PlanLimitReached, ValidationFailed
from app.keys import service as keys
from app.keys.filters import KeyFilter, Order
from app.keys.key import ApiKey, KeySettings, Status
from app.paging import Window
from app.plans import service as plans
from app.rotations import service as rotations
from app.web import key_form, key_link
from app.web.framework.form import Form
from app.web.framework.page import Page

LIST: Final = "/w/{slug:str}/settings/api-keys"
NEW: Final = f"{LIST}/new"
# Of the keys that could be revoked to make room.
MOST_OFFERED: Final = 3


@get(NEW)
async def blank(page: NamedDependency[Page]) -> Response[str]:
    """The form; what it has been filled in with, for its review and for the summary beside it; or what a link fills in."""
    page.form = page.form if page.form.values else _typed(page)
    if page.form.has("review"):
        return await _look_over(page)
    return await _form(page, 200 if page.form.values else await _fill_in(page))


@post(NEW, status_code=200)
async def create(page: NamedDependency[Page]) -> Response[str]:
    """Shows the secret only in this response. The same form sent twice creates one key; the second leads to the key's page."""
    if not page.form.has("confirmed"):
        return await _look_over(page)
    try:
        settings, days = key_form.settings_from(page.form, page.zone), key_form.lifetime_days(page.form)
        once = key_form.sending(page.form)
        made = await keys.create(page.actor, page.slug, settings, lifetime_days=days, idempotency_key=once)
    except ValidationFailed:
        return await _refused(page)
    except PlanLimitReached as problem:
        return await _form(page, 409, problem)
    return _made(page, made)


@post(f"{LIST}/{{key_id:str}}/replacement", status_code=200)
async def replace_unused(page: NamedDependency[Page], key_id: FromPath[str]) -> Response[str]:
    """Replaces an unused key whose secret was lost. The same form sent twice leads to the replacement's page."""
    return _made(page, await rotations.replace_unused(page.actor, key_id, slug=page.slug))


@get(f"{LIST}/{{key_id:str}}/first-use")
async def first_use(page: NamedDependency[Page], key_id: FromPath[str]) -> Response[str]:
    """What the page with the secret asks until the key was used; empty while it was not."""
    key = await keys.find(page.access, key_id)
    if not page.is_fragment:
        return page.go(page.to("settings", "api-keys", key.id))
    return page.unchanged() if key.last_used_at is None else page.show("keys/_first_use.html", key=key)


def _typed(page: Page) -> Form:
    """The input that the form or its review has stored in the URL; none of it if another user typed it, or for a link."""
    typed = Form.parse(page.search)
    return typed if typed.text("by") == page.actor.id else Form()


async def _fill_in(page: Page) -> int:
    """Fills in the form as the link says; returns the status. What the link leaves out is no fault."""
    if page.query.get("by"):
        return 200
    page.form = key_link.form_of(page.search, catalogue.current())
    if page.may(Action.CREATE_API_KEY) and page.form.values:
        faults = [fault for fault in await _faults(page) if key_link.concerns(page.form, fault)]
        page.form = Form(page.form.values, {**page.form.faults, **page.form.refused(ValidationFailed(*faults)).faults})
    return 422 if page.form.faults else 200


async def _look_over(page: Page) -> Response[str]:
    try:
        settings, days = key_form.settings_from(page.form, page.zone), key_form.lifetime_days(page.form)
        return await _review(page, await keys.check(page.actor, page.slug, settings, lifetime_days=days))
    except ValidationFailed:
        return await _refused(page)


async def _refused(page: Page) -> Response[str]:
    page.form = page.form.refused(ValidationFailed(*await _faults(page)))
    return await _form(page, 422)


async def _faults(page: Page) -> list[FieldProblem]:
    """Every fault of the form, also beside an expiry that cannot be understood."""
    found: list[FieldProblem] = []
    try:
        key_form.settings_from(page.form, page.zone)
    except ValidationFailed as problem:
        found += problem.fields
    draft, days = key_form.draft(page.form, page.zone), key_form.lifetime_days(page.form)
    try:
        await keys.check(page.actor, page.slug, draft, lifetime_days=days)
    except ValidationFailed as problem:
        found += [fault for fault in problem.fields if not found or fault.field != "expiresAt"]
    return found


def _made(page: Page, made: keys.Created) -> Response[str]:
    """The secret the first time; later, and when that response is reloaded, the key's page."""
    address = page.to("settings", "api-keys", made.key.id, made="yes")
    if made.secret is None:
        return page.go(address)
    shown = page.show("keys/created.html", 201, key=made.key, secret=made.secret)
    shown.headers["hx-replace-url"] = address
    return shown


async def _form(page: Page, status: int, limit: PlanLimitReached | None = None) -> Response[str]:
    query = key_link.query_of(page.form)
    return page.show(
        "keys/new.html",
        status,
        limit=limit,
        lifetimes=key_form.LIFETIMES,
        lifetime=key_form.lifetime(page.form),
        link=f"{page.path}?{query}" if query else None,
        **_summary(key_form.draft(page.form, page.zone).lasting(key_form.lifetime_days(page.form), page.now)),
        **await _room(page),
    )


async def _review(page: Page, settings: KeySettings) -> Response[str]:
    once, typed = page.once, key_form.typed_fields(page.form)
    return page.show(
        "keys/review.html",
        typed=typed,
        once=once,
        lifetime=key_form.lifetime(page.form),
        back=f"{page.path}?{urlencode([('by', page.actor.id), ('once', once), *typed])}",
        **_summary(settings),
        **await _room(page),
    )


def _summary(settings: KeySettings) -> dict[str, Any]:
    """What the new key will be, as far as it has been chosen."""
    known = catalogue.current()
    return {
        "catalogue": known,
        "settings": settings,
        "environment": known.environments.get(settings.environment),
        "permissions": [known.permission(name) for name in settings.permissions],
    }


async def _room(page: Page) -> dict[str, Any]:
    """The plan's meter, and without room for one more: the plans that would have it, and the keys whose end would hurt least."""
    meter = await plans.meter(page.access)
    larger = [plan for plan in catalogue.current().plans_allowing(meter.used + 1) if plan.name != meter.plan.name]
    return {"meter": meter, "larger": larger, "least_used": () if meter.has_room else await _least_used(page)}


async def _least_used(page: Page) -> tuple[ApiKey, ...]:
    living = KeyFilter(statuses=(Status.ACTIVE, Status.SUSPENDED))
    return (await keys.page(page.access, Window(MOST_OFFERED), living, Order.LAST_USED_AT, descending=False)).items


HANDLERS = (blank, create, replace_unused, first_use)
