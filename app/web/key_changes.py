"""Changing an API key: editing, suspending and resuming, revoking."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from app import catalogue, clock
from app.access.policy import Action
from app.catalogue import Environment
from app.errors import Conflict, FieldProblem, ValidationFailed
from app.keys import service as keys
from app.keys.key import ApiKey, Reason
from app.members import service as members
from app.rotations import service as rotations
from app.versions import Stale
from app.web import key_form
from app.web.framework.page import Page
from app.web.presentation.filters import REASONS

KEY: Final = "/w/{slug:str}/settings/api-keys/{key_id:str}"


@get(f"{KEY}/edit")
async def edit_form(page: NamedDependency[Page], key_id: FromPath[str]) -> Response[str]:
    page.require(Action.UPDATE_API_KEY)
    return await _edit(page, await _key(page, key_id), 200)


@post(f"{KEY}/edit", status_code=200)
async def edit(page: NamedDependency[Page], key_id: FromPath[str]) -> Response[str]:
    key = await _key(page, key_id)
    try:
        settings = key_form.settings_from(page.form, page.zone).lasting(key_form.lifetime_days(page.form), page.now)
        owner = key_form.owner(page.form) if page.form.has("owner") else key.owner
        change = replace(settings, expires_at=_kept(key, settings.expires_at), owner=owner).values()
        await keys.update(page.actor, key_id, change, slug=page.slug, expected=page.form.text("seen") or None)
    except Stale:
        return await _edit(page, await _key(page, key_id), 409, stale=True)
    except ValidationFailed as problem:
        page.form = page.form.refused(problem)
        return await _edit(page, key, 422)
    return page.go(page.to("settings", "api-keys", key.id, done="edited"))


@get(f"{KEY}/suspension")
async def suspension_form(page: NamedDependency[Page], key_id: FromPath[str]) -> Response[str]:
    page.require(Action.SUSPEND_API_KEY)
    key = await _key(page, key_id)
    if key.is_over(page.now):
        return page.go(_address(page, key))
    return await _suspension(page, key, 200)


@post(f"{KEY}/suspension", status_code=200)
async def suspension(page: NamedDependency[Page], key_id: FromPath[str]) -> Response[str]:
    """`state` is the wanted state, so that sending the form twice is harmless. Ends only the suspension that the form showed."""
    try:
        if page.form.text("state") == "active":
            key = await keys.resume(page.actor, key_id, slug=page.slug, expected=page.form.text("seen"))
        else:
            key = await keys.suspend(page.actor, key_id, slug=page.slug)
    except Stale:
        return await _suspension(page, await _key(page, key_id), 409, stale=True)
    return page.go(_address(page, key))


@get(f"{KEY}/revocation")
async def revocation_form(page: NamedDependency[Page], key_id: FromPath[str]) -> Response[str]:
    page.require(Action.REVOKE_API_KEY)
    key = await _key(page, key_id)
    return page.go(_address(page, key)) if key.revocation else await _revocation(page, key, 200)


@post(f"{KEY}/revocation", status_code=200)
async def revocation(page: NamedDependency[Page], key_id: FromPath[str]) -> Response[str]:
    key = await _key(page, key_id)
    try:
        reason = chosen_reason(page.form.text("reason"))
        _require_prefix(page, key)
        await keys.revoke(page.actor, key_id, reason, page.form.text("note"), slug=page.slug)
    except ValidationFailed as problem:
        page.form = page.form.refused(problem)
        return await _revocation(page, key, 422)
    return page.go(_address(page, key))


async def _key(page: Page, key_id: str) -> ApiKey:
    return await keys.find(page.access, key_id)


def _address(page: Page, key: ApiKey) -> str:
    return page.to("settings", "api-keys", key.id)


async def _edit(page: Page, key: ApiKey, status: int, *, stale: bool = False) -> Response[str]:
    """`stale`: someone else has changed the key meanwhile; the form shows the user's input next to the current values."""
    if key.is_over(page.now):
        raise Conflict(f"This key is {key.status(page.now).lower()}, which is final. Create a new one.")
    known = catalogue.current()
    left = [known.permission(name) for name in key.permissions if name not in known.permissions]
    offered = [*known.permissions.values(), *left]
    environment = known.environment(key.environment)
    return page.show(
        "keys/edit.html",
        status,
        key=key,
        offered=offered,
        environment=environment,
        lifetimes={each: key_form.LIFETIMES[each] for each in _endings(environment, key)},
        lifetime=key_form.lifetime(page.form) if page.form.values else _ending(key),
        stale=stale,
        members=await members.members(page.access),
    )


def _endings(environment: Environment, key: ApiKey) -> tuple[str, ...]:
    """Only what means the same however often the form is sent: no days from now. A key may keep what new ones may not have."""
    may_stay = not environment.must_expire or key.expires_at is None
    return (key_form.NEVER, key_form.ON_DATE) if may_stay else (key_form.ON_DATE,)


def _ending(key: ApiKey) -> str:
    return key_form.NEVER if key.expires_at is None else key_form.ON_DATE


async def _suspension(page: Page, key: ApiKey, status: int, *, stale: bool = False) -> Response[str]:
    impact = await rotations.impact(page.access, key)
    return page.show("keys/suspension.html", status, key=key, impact=impact, stale=stale)


async def _revocation(page: Page, key: ApiKey, status: int) -> Response[str]:
    impact = await rotations.impact(page.access, key)
    return page.show("keys/revocation.html", status, key=key, reasons=REASONS, impact=impact)


def _require_prefix(page: Page, key: ApiKey) -> None:
    """Raises ValidationFailed if the key is in use right now and the prefix was not typed."""
    typed = page.form.text("prefix").strip().rstrip("…")
    if rotations.verdict(key, page.now) is rotations.Verdict.BUSY and typed != key.prefix:
        raise ValidationFailed(FieldProblem("prefix", "REQUIRED", f"This key is in use. Type {key.prefix} to revoke it anyway."))


def _kept(key: ApiKey, given: int | None) -> int | None:
    """Forms have minute precision: a time that was not changed keeps its seconds."""
    if key.expires_at is None or given is None:
        return given
    return key.expires_at if given == key.expires_at - key.expires_at % clock.MINUTE else given


def chosen_reason(text: str) -> Reason:
    """The reason of a form for a revocation. Raises ValidationFailed."""
    if text not in set(Reason):
        raise ValidationFailed(FieldProblem("reason", "REQUIRED", "Choose a reason: it is kept with the key."))
    return Reason(text)


HANDLERS = (edit_form, edit, suspension_form, suspension, revocation_form, revocation)
