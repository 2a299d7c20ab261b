"""The alert list of a workspace: open alerts with their evidence, earlier ones, and days on which many keys expire."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, Final

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.enums import MediaType
from litestar.params import FromPath

from app.access.policy import Action
from app.alerts import service as alerts
from app.alerts import words
from app.alerts.alert import Alert, Kind, Resolution, State
from app.alerts.alert_store import AlertFilter
from app.alerts.rules import RULES, remedies
from app.checklist import service as checklists
from app.clock import DAY
from app.errors import FieldProblem, ValidationFailed
from app.live import Subject
from app.rotations import service as rotations
from app.tenancy import service as tenancy
from app.tenancy.service import Access
from app.web.framework.page import Page
from app.web.framework.sse import EventStreams
from app.web.presentation.alert_chart import compared
from app.web.presentation.expiry_chart import expiring_keys, expiry_chart
from app.web.presentation.filters import day, relative
from app.web.presentation.key_status import KeyStatus, status_in

ALERTS: Final = "/w/{slug:str}/alerts"
EXPECTED_USE: Final = "/w/{slug:str}/settings/api-keys/{key_id:str}/expected-use"
MOST_PAST: Final = 100
_TITLES_BEFORE: Final = {Kind.ROTATE_BY: "Rotation due", Kind.EXPIRY: "Expiry"}
_TITLES_WHEN_DUE: Final = {
    Kind.ROTATE_BY: "Rotation overdue",
    Kind.EXPIRY: "Expired",
    Kind.DEADLINE: "Rotation past its deadline",
    Kind.LEAKED: "Leaked",
}


@dataclass(frozen=True, slots=True)
class Shown:
    """What the live part of the page shows: open alerts, and how many there are of any kind."""

    access: Access
    alerts: tuple[Alert, ...]
    total: int


@get(ALERTS)
async def listing(page: NamedDependency[Page]) -> Response[str]:
    await checklists.note_visit(page.access)
    progress_by_key = {progress.predecessor.id: progress for progress in await rotations.open_rotations(page.access)}
    kind = _kind(page)
    return page.show(
        "alerts/list.html",
        **_context(page, await _shown(page.access, kind), kind),
        past=await alerts.newest(page.access, MOST_PAST, AlertFilter((State.RESOLVED,), (kind,) if kind else ())),
        expiry_chart=expiry_chart(await expiring_keys(page), page.now, page.zone),
        sent_text=sent_text,
        key_status=lambda key: status_in(progress_by_key.get(key.id), key, page.now, page.zone),
    )


@get(f"{ALERTS}/open")
async def badge(page: NamedDependency[Page]) -> Response[str]:
    """The number beside "Alerts", for pages that are open."""
    if not page.is_fragment:
        return page.go(page.to("alerts"))
    page.require(Action.READ_KEYS)
    text = await page.part("alerts/badge.html", "badge", open=await alerts.count_open(page.access), is_event=False)
    return Response(text, media_type=MediaType.HTML, headers={"vary": "HX-Request"})


@get(f"{ALERTS}/events")
async def events(page: NamedDependency[Page], live: NamedDependency[EventStreams]) -> Response[str]:
    """Streams the open alerts and the number beside "Alerts" whenever they change."""
    kind, first = _kind(page), page.access
    subject = Subject(
        f"alerts {first.workspace.id} {kind}",
        first.workspace.id,
        version=functools.partial(_version, first),
        load=functools.partial(_reread, first, kind),
        shown_part=_shown_part,
    )

    async def render(seen: Shown) -> str:
        page.now = seen.access.now
        return await page.part("alerts/list.html", "live", **_context(page, seen, kind) | {"is_event": True})

    return live.stream(
        page.signed_in,
        subject,
        await _shown(first, kind),
        allowed=lambda: tenancy.reading(page.actor, page.slug, Action.READ_KEYS),
        render=render,
    )


@post(f"{ALERTS}/{{alert_id:str}}/resolution", status_code=200)
async def resolve(page: NamedDependency[Page], alert_id: FromPath[str]) -> Response[str]:
    """The same form sent twice resolves once."""
    given = page.form.text("resolution")
    if given not in (Resolution.EXPECTED, Resolution.HANDLED):
        raise ValidationFailed(FieldProblem("resolution", "INVALID", "Choose whether the alert was expected or handled."))
    await alerts.resolve(page.actor, alert_id, Resolution(given), always=page.form.has("always"), slug=page.slug)
    return page.go(page.to("alerts", done=given.lower()))


@post(EXPECTED_USE, status_code=200)
async def expect_use(page: NamedDependency[Page], key_id: FromPath[str]) -> Response[str]:
    """Turns a rule off for a key, or on again. Sending the form twice is harmless."""
    given = page.form.text("kind")
    if given not in RULES:
        raise ValidationFailed(FieldProblem("kind", "INVALID", "Choose one of the offered rules."))
    await alerts.set_expected(page.actor, key_id, Kind(given), expected=page.form.text("expected") == "yes", slug=page.slug)
    return page.go(page.to("settings", "api-keys", key_id, done="expected"))


def alert_status(alert: Alert, now: int, zone: str) -> KeyStatus:
    """Describes the current state of an open alert, not its state when it was raised."""
    if not alert.is_dated:
        return KeyStatus(RULES[alert.kind].title, "bad", "")
    at = day(alert.about, zone)
    if alert.kind is Kind.DEADLINE:
        return KeyStatus("Deadline passed", "bad", f"on {at}; both keys still work and count toward the plan")
    if alert.kind is Kind.LEAKED:
        return KeyStatus("Leaked", "bad", f"reported as leaked and revoked on {at}")
    if alert.kind is Kind.EXPIRY:
        urgent = alert.about - now <= DAY
        return KeyStatus(f"Expires {relative(alert.about, now)}", "bad" if urgent else "warn", f"{at}; after that it stops working")
    if alert.has_come(now):
        return KeyStatus("Rotation overdue", "bad", f"since {at}; the key still works")
    return KeyStatus(f"Rotate {relative(alert.about, now)}", "warn", f"by {at}")


def sent_text(alert: Alert) -> str:
    """What the alert reported when it was raised: `Expiry in 7 days`."""
    if not alert.is_dated:
        return RULES[alert.kind].title
    if alert.days == 0:
        return _TITLES_WHEN_DUE[alert.kind]
    return f"{_TITLES_BEFORE[alert.kind]} in {alert.days} day{'' if alert.days == 1 else 's'}"


def alert_context(page: Page) -> dict[str, Any]:
    """What the partial of an alert needs, here and on the page of a key."""
    return {
        "rules": RULES,
        "alert_status": lambda alert: alert_status(alert, page.now, page.zone),
        "remedies": lambda alert: [remedy for remedy in remedies(alert) if page.may(remedy.action)],
        "summary": words.summary,
        "usual": words.usual,
        "suspension": words.suspension,
        "compared": compared,
    }


def _context(page: Page, seen: Shown, kind: Kind | None) -> dict[str, Any]:
    return {"alerts": seen.alerts, "kind": kind, "total": seen.total, "is_event": False, **alert_context(page)}


async def _shown(access: Access, kind: Kind | None) -> Shown:
    found = await alerts.newest(access, alerts.MOST_SHOWN, AlertFilter((State.OPEN,), (kind,) if kind else ()))
    return Shown(access, tuple(found), len(found) if kind is None else await alerts.count_open(access))


async def _reread(access: Access, kind: Kind | None, seen: Shown) -> Shown:
    """Read by all streams of the workspace together; each checks its own reader's access."""
    return await _shown(await tenancy.seen(access.actor, None, workspace_id=access.workspace.id), kind)


async def _version(access: Access, seen: Shown) -> object:
    return await alerts.version_mark(access)


def _shown_part(seen: Shown) -> object:
    return seen.total, tuple((alert.id, alert.count, alert.last_seen_at, alert.key.suspended_at) for alert in seen.alerts)


def _kind(page: Page) -> Kind | None:
    given = page.query.get("kind", "")
    return Kind(given) if given in RULES else None


HANDLERS = (listing, badge, events, resolve, expect_use)
