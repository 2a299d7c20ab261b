"""Management keys of a workspace: the list, the form for a new one, its secret, which is shown once, and revoking."""

from __future__ import annotations

from typing import Any, Final

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from app.access.actor import Scope
from app.access.policy import Action
from app.clock import DAY
from app.errors import Conflict, FieldProblem, ValidationFailed
from app.keys.idempotency import RepeatedRequest
from app.management_keys import service as management_keys
from app.management_keys.management_key import LONGEST_LIFE_DAYS, ManagementKeyInput, Status
from app.web.framework.page import Page, with_query
from app.web.framework.paging import position_text, window
from app.web.key_form import parse_local_time, parse_parts
from app.web.presentation.key_status import management_key_status
from app.web.user_forms import render_invalid

LIST: Final = "/w/{slug:str}/settings/management-keys"
ONE: Final = f"{LIST}/{{management_key_id:str}}"
PAGE_SIZE: Final = 50
ON_DATE: Final = "date"
LIFETIMES: Final = {"7": "7 days", "30": "30 days", "90": "90 days", str(LONGEST_LIFE_DAYS): "One year", ON_DATE: "Until a date"}
SCOPES: Final = {
    Scope.KEYS_READ: "Read API keys, rotations, alerts and the security checklist.",
    Scope.KEYS_WRITE: "The same, and create, edit, suspend, rotate and revoke API keys, and resolve alerts.",
    Scope.USAGE_READ: "Read usage, requests and callers of API keys.",
    Scope.AUDIT_READ: "Read the audit log.",
    Scope.WORKSPACE_READ: "Read plan, members, settings and webhooks.",
    Scope.WORKSPACE_WRITE: "The same, and change settings, automatic suspension and webhooks.",
}


@get(LIST)
async def listing(page: NamedDependency[Page]) -> Response[str]:
    found = await management_keys.page(page.access, window(page, PAGE_SIZE))
    shown = found.items
    newer, older = [position_text(each.created_at, each.id) for each in (shown[0], shown[-1])] if shown else (None, None)
    return page.show(
        "management_keys/list.html",
        keys=shown,
        status_of=management_key_status,
        total=await management_keys.count(page.access),
        newer=with_query(page.path, before=newer) if found.has_previous else None,
        older=with_query(page.path, after=older) if found.has_next else None,
    )


@get(f"{LIST}/new")
async def blank(page: NamedDependency[Page]) -> Response[str]:
    page.require(Action.CREATE_MANAGEMENT_KEY)
    return page.show("management_keys/new.html", **_choices())


@post(f"{LIST}/new", status_code=200)
async def create(page: NamedDependency[Page]) -> Response[str]:
    """Shows the secret only in this response. The same form sent twice makes one key; the second answer leads to the list, and so
    does reloading the first."""
    address = page.to("settings", "management-keys", done="repeated")
    try:
        key, secret = await management_keys.create(page.actor, page.slug, _input(page), idempotency_key=page.form.sending)
    except RepeatedRequest:
        return page.go(address)
    except (ValidationFailed, Conflict) as problem:
        return render_invalid(page, "management_keys/new.html", problem, **_choices())
    shown = page.show("management_keys/secret.html", 201, key=key, secret=secret)
    shown.headers["hx-replace-url"] = address
    return shown


@get(f"{ONE}/revocation")
async def revocation_form(page: NamedDependency[Page], management_key_id: FromPath[str]) -> Response[str]:
    page.require(Action.REVOKE_MANAGEMENT_KEY)
    key = await management_keys.find(page.access, management_key_id)
    if key.status(page.now) is not Status.ACTIVE:
        return page.go(page.to("settings", "management-keys"))
    return page.show("management_keys/revocation.html", key=key)


@post(f"{ONE}/revocation", status_code=200)
async def revoke(page: NamedDependency[Page], management_key_id: FromPath[str]) -> Response[str]:
    await management_keys.revoke(page.actor, management_key_id, slug=page.slug)
    return page.go(page.to("settings", "management-keys", done="revoked"))


def _choices() -> dict[str, Any]:
    return {"scopes": SCOPES, "lifetimes": LIFETIMES, "on_date": ON_DATE}


def _input(page: Page) -> ManagementKeyInput:
    """Raises ValidationFailed for an expiry that cannot be read."""
    form = page.form
    networks = parse_parts(form.text("allowedIps"))
    is_relative = form.text("lifetime") != ON_DATE
    return ManagementKeyInput(form.text("name"), form.texts("scopes"), _expires_at(page), networks, is_relative)


def _expires_at(page: Page) -> int:
    lifetime = page.form.text("lifetime")
    if lifetime not in LIFETIMES:
        raise ValidationFailed(FieldProblem("lifetime", "REQUIRED", "Choose how long the key lives."))
    if lifetime != ON_DATE:
        return page.now + int(lifetime) * DAY
    chosen = parse_local_time(page.form.text("expiresAt"), page.zone)
    if chosen is None:
        raise ValidationFailed(FieldProblem("expiresAt", "REQUIRED", "Enter the date and time at which the key expires."))
    return chosen


HANDLERS = (listing, blank, create, revocation_form, revoke)
