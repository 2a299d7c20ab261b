"""Webhooks of a workspace: the list, a webhook with its delivery log, and what owners do with them."""

from __future__ import annotations

from typing import Any, Final

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from app import clock
from app.access.policy import Action
from app.errors import Conflict, FieldProblem, Problem, ValidationFailed
from app.keys.idempotency import RepeatedRequest
from app.web.framework.form import Form
from app.web.framework.page import Page, with_query
from app.web.framework.paging import position_text, window
from app.web.user_forms import render_invalid
from app.webhooks import service as webhooks
from app.webhooks.validation import PUBLISHED, WebhookInput
from app.webhooks.webhook import MOST_WEBHOOKS, Kind

LIST: Final = "/w/{slug:str}/settings/webhooks"
ONE: Final = f"{LIST}/{{webhook_id:str}}"
PAGE_SIZE: Final = 25
_SOON: Final = 10 * clock.SECOND
KINDS: Final = {
    Kind.STANDARD: ("Standard", "JSON with a signature, by the Standard Webhooks specification."),
    Kind.SLACK: ("Slack", "A text for a channel, also for programs that take Slack’s format."),
    Kind.TEAMS: ("Teams", "A card for a channel, through a workflow of Teams."),
}


@get(LIST)
async def listing(page: NamedDependency[Page]) -> Response[str]:
    found = await webhooks.webhooks(page.access)
    return page.show("webhooks/list.html", webhooks=found, kinds=KINDS, most=MOST_WEBHOOKS)


@get(f"{LIST}/new")
async def blank(page: NamedDependency[Page]) -> Response[str]:
    page.require(Action.CREATE_WEBHOOK)
    return page.show("webhooks/new.html", **_choices())


@post(f"{LIST}/new", status_code=200)
async def create(page: NamedDependency[Page]) -> Response[str]:
    """Shows the secret only in this response. The same form sent twice makes one webhook; the second answer leads to it."""
    try:
        made = await webhooks.create(page.actor, page.slug, _input(page.form), idempotency_key=page.form.sending)
    except (ValidationFailed, Conflict) as problem:
        return render_invalid(page, "webhooks/new.html", problem, **_choices())
    if made.secret is None:
        is_lost = made.repeated and made.webhook.kind is Kind.STANDARD
        return page.go(_address(page, made.webhook.id, done="repeated" if is_lost else "made"))
    return page.show("webhooks/secret.html", 201, webhook=made.webhook, secret=made.secret, is_new=True)


@get(ONE)
async def detail(page: NamedDependency[Page], webhook_id: FromPath[str]) -> Response[str]:
    webhook = await webhooks.find(page.access, webhook_id)
    found = await webhooks.deliveries(page.access, webhook, window(page, PAGE_SIZE))
    shown = found.items
    newer, older = [position_text(each.created_at, each.id) for each in (shown[0], shown[-1])] if shown else (None, None)
    return page.show(
        "webhooks/page.html",
        webhook=webhook,
        kind=KINDS[webhook.kind][0],
        deliveries=shown,
        # Then the page shows by itself what comes of it; further attempts are minutes or hours apart.
        is_sending=any(each.due_at is not None and each.due_at <= page.now + _SOON for each in shown),
        total=await webhooks.count_deliveries(page.access, webhook),
        newer=with_query(page.path, before=newer) if found.has_previous else None,
        older=with_query(page.path, after=older) if found.has_next else None,
    )


@get(f"{ONE}/edit")
async def edit_form(page: NamedDependency[Page], webhook_id: FromPath[str]) -> Response[str]:
    page.require(Action.UPDATE_WEBHOOK)
    return await _edit(page, webhook_id)


@post(f"{ONE}/edit", status_code=200)
async def edit(page: NamedDependency[Page], webhook_id: FromPath[str]) -> Response[str]:
    form = page.form
    try:
        await webhooks.update(
            page.actor,
            webhook_id,
            name=form.text("name"),
            # The URL of a chat is not shown: an empty field leaves it.
            url=form.text("url").strip() or None,
            chosen=form.texts("events"),
            slug=page.slug,
        )
    except ValidationFailed as problem:
        return await _edit(page, webhook_id, problem)
    return page.go(_address(page, webhook_id, done="edited"))


@post(f"{ONE}/activation", status_code=200)
async def activate(page: NamedDependency[Page], webhook_id: FromPath[str]) -> Response[str]:
    enabled = page.form.text("state") == "enabled"
    await webhooks.update(page.actor, webhook_id, enabled=enabled, slug=page.slug)
    return page.go(_address(page, webhook_id, done="enabled" if enabled else "disabled"))


@post(f"{ONE}/secret", status_code=200)
async def rotate_secret(page: NamedDependency[Page], webhook_id: FromPath[str]) -> Response[str]:
    """Shows the new secret only in this response."""
    try:
        made = await webhooks.rotate_secret(page.actor, webhook_id, idempotency_key=page.form.sending, slug=page.slug)
    except RepeatedRequest:
        return page.go(_address(page, webhook_id, done="rotated"))
    return page.show("webhooks/secret.html", 201, webhook=made.webhook, secret=made.secret, is_new=False)


@post(f"{ONE}/tests", status_code=200)
async def send_test(page: NamedDependency[Page], webhook_id: FromPath[str]) -> Response[str]:
    await webhooks.send_test(page.actor, webhook_id, slug=page.slug)
    return page.go(_address(page, webhook_id, done="tested"))


@post(f"{ONE}/deliveries/{{delivery_id:str}}/repetition", status_code=200)
async def redeliver(page: NamedDependency[Page], webhook_id: FromPath[str], delivery_id: FromPath[str]) -> Response[str]:
    await webhooks.redeliver(page.actor, delivery_id, slug=page.slug)
    return page.go(_address(page, webhook_id, done="again"))


@get(f"{ONE}/deletion")
async def deletion_form(page: NamedDependency[Page], webhook_id: FromPath[str]) -> Response[str]:
    page.require(Action.DELETE_WEBHOOK)
    return page.show("webhooks/deletion.html", webhook=await webhooks.find(page.access, webhook_id))


@post(f"{ONE}/deletion", status_code=200)
async def delete(page: NamedDependency[Page], webhook_id: FromPath[str]) -> Response[str]:
    await webhooks.delete(page.actor, webhook_id, slug=page.slug)
    return page.go(page.to("settings", "webhooks", done="deleted"))


async def _edit(page: Page, webhook_id: str, problem: Problem | None = None) -> Response[str]:
    webhook = await webhooks.find(page.access, webhook_id)
    if problem:
        return render_invalid(page, "webhooks/edit.html", problem, webhook=webhook, **_choices())
    return page.show("webhooks/edit.html", webhook=webhook, **_choices())


def _choices() -> dict[str, Any]:
    return {"kinds": KINDS, "events": PUBLISHED.values()}


def _input(form: Form) -> WebhookInput:
    """Raises ValidationFailed for an unknown kind."""
    kind = form.text("kind")
    if kind not in set(Kind):
        raise ValidationFailed(FieldProblem("kind", "REQUIRED", "Choose what receives the messages."))
    return WebhookInput(form.text("name"), Kind(kind), form.text("url").strip(), form.texts("events"))


def _address(page: Page, webhook_id: str, done: str) -> str:
    """The URL of a webhook's page, which then confirms what was done."""
    return page.to("settings", "webhooks", webhook_id, done=done)


HANDLERS = (
    listing,
    blank,
    create,
    detail,
    edit_form,
    edit,
    activate,
    rotate_secret,
    send_test,
    redeliver,
    deletion_form,
    delete,
)
