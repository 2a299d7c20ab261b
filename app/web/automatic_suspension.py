"""Automatic suspension of a workspace: which rules suspend keys, beside what each would have suspended recently."""

from __future__ import annotations

from typing import Any, Final

from litestar import Response, get, post
from litestar.di import NamedDependency

from app.access.policy import Action
from app.alerts import suspension_service as suspension
from app.alerts.alert import Kind
from app.alerts.rules import RULES
from app.alerts.suspension import HIGHEST_MOST, PREVIEWED_DAYS, SUSPENDING, Outcome
from app.errors import FieldProblem, Problem, ValidationFailed
from app.versions import Stale
from app.web.alerts import ALERTS
from app.web.framework.page import Page
from app.web.user_forms import render_invalid

SETTING: Final = f"{ALERTS}/suspension"
# Alerts of a rule that its table shows; the figures are about all of them.
MOST_ROWS: Final = 20
OUTCOMES: Final = {
    Outcome.SUSPENDED: ("bad", "Suspended"),
    Outcome.DAILY_LIMIT: ("warn", "Not suspended, because of the daily limit"),
    Outcome.NOTHING: ("", "It had ended or was suspended already"),
}


@get(SETTING)
async def setting(page: NamedDependency[Page]) -> Response[str]:
    """`?limit=`: the previews with another daily limit than the present one."""
    page.require(Action.SET_AUTOMATIC_SUSPENSION)
    return await _show(page)


@post(SETTING, status_code=200)
async def change(page: NamedDependency[Page]) -> Response[str]:
    page.require(Action.SET_AUTOMATIC_SUSPENSION)
    form = page.form
    try:
        await suspension.update(
            page.actor,
            page.slug,
            kinds=_kinds(form.texts("kinds")),
            most_a_day=_number(form.text("maxPerDay")),
            expected=form.text("seen") or None,
        )
    except Stale:
        return await _show(page, stale=True)
    except ValidationFailed as problem:
        return await _show(page, problem)
    return page.go(page.to("alerts", "suspension", done="yes"))


async def _show(page: Page, problem: Problem | None = None, *, stale: bool = False) -> Response[str]:
    """`stale`: another person has changed the setting meanwhile; the form shows the user's input next to the current one."""
    found = await suspension.find(page.access)
    limit = _limit(page.query.get("limit", ""), found.most_a_day)
    context: dict[str, Any] = {
        "setting": found,
        "limit": limit,
        "recently": await suspension.count_lately(page.access),
        "previews": [await suspension.preview(page.access, kind, limit) for kind in SUSPENDING],
        "rules": RULES,
        "outcomes": OUTCOMES,
        "most_rows": MOST_ROWS,
        "days": PREVIEWED_DAYS,
        "highest": HIGHEST_MOST,
        "stale": stale,
    }
    if problem:
        return render_invalid(page, "alerts/suspension.html", problem, **context)
    return page.show("alerts/suspension.html", 409 if stale else 200, **context)


def _kinds(given: tuple[str, ...]) -> list[Kind]:
    """Raises ValidationFailed for an unknown rule."""
    if unknown := [text for text in given if text not in RULES]:
        raise ValidationFailed(FieldProblem("kinds", "INVALID", "Choose from the offered rules.", given.index(unknown[0])))
    return [Kind(text) for text in given]


def _number(text: str) -> int:
    """Out of range for text that is not a number, so that the use case refuses it."""
    given = text.strip()
    return int(given) if given.isascii() and given.isdecimal() and len(given) < 5 else 0


def _limit(text: str, present: int) -> int:
    return number if 1 <= (number := _number(text)) <= HIGHEST_MOST else present


HANDLERS = (setting, change)
