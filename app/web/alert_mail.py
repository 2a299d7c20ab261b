"""Which alerts of a workspace a member gets by e-mail, and when: a page of their own."""

from __future__ import annotations

from typing import Any, Final

from litestar import Response, get, post
from litestar.di import NamedDependency

from app import mail
from app.alerts import mail_service as service
from app.alerts.alert import Kind
from app.alerts.alert_mail import Delivery
from app.alerts.rules import RULES
from app.errors import FieldProblem, Problem, ValidationFailed
from app.versions import Stale
from app.web.framework.form import Form
from app.web.framework.page import Page
from app.web.user_forms import render_invalid

CHOICE: Final = "/w/{slug:str}/settings/alert-mail"
DELIVERIES: Final = {
    Delivery.AT_ONCE: "At once",
    Delivery.DAILY: "In the daily digest",
    Delivery.NEVER: "Not by e-mail",
}


@get(CHOICE)
async def choice(page: NamedDependency[Page]) -> Response[str]:
    return await _show(page)


@post(CHOICE, status_code=200)
async def choose(page: NamedDependency[Page]) -> Response[str]:
    try:
        await service.update(
            page.actor,
            page.slug,
            deliveries=_deliveries(page.form),
            hour=_hour(page.form.text("dailyHour")),
            expected=page.form.text("seen") or None,
        )
    except Stale:
        return await _show(page, stale=True)
    except ValidationFailed as problem:
        return await _show(page, problem)
    return page.go(page.to("settings", "alert-mail", done="yes"))


async def _show(page: Page, problem: Problem | None = None, *, stale: bool = False) -> Response[str]:
    """`stale`: the member has chosen something else meanwhile, in another window; the form shows the input."""
    context: dict[str, Any] = {
        "mail": await service.find(page.access),
        "rules": RULES,
        "deliveries": DELIVERIES,
        "by_mail": mail.current().configured,
        "stale": stale,
    }
    if problem:
        return render_invalid(page, "alerts/mail.html", problem, **context)
    return page.show("alerts/mail.html", 409 if stale else 200, **context)


def _deliveries(form: Form) -> dict[Kind, Delivery]:
    """Of each kind that the form has. Raises ValidationFailed at it for an unknown delivery."""
    given = {kind: form.text(kind) for kind in RULES if form.has(kind)}
    if faults := [FieldProblem(kind, "INVALID", "Choose one of these.") for kind, text in given.items() if text not in DELIVERIES]:
        raise ValidationFailed(*faults)
    return {kind: Delivery(text) for kind, text in given.items()}


def _hour(text: str) -> int | None:
    """None for a form without it; out of range for text that is not a number, so that the use case refuses it."""
    if not text:
        return None
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 3 else -1


HANDLERS = (choice, choose)
