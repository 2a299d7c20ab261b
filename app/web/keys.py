"""API keys: the list, and the page of one."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Final

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from app import catalogue
from app.access.policy import Action
from app.alerts import service as alerts
from app.alerts.alert import Alert
from app.audit import service as audit
from app.checklist import service as checklists
from app.clock import SECOND
from app.errors import NotFound
from app.keys import service as keys
from app.keys.filters import KeyFilter, Order, position_of
from app.keys.key import ApiKey
from app.paging import Page as Found
from app.paging import Window
from app.plans import service as plans
from app.rotations import service as rotations
from app.usage import service as usage
from app.usage.caller import seen_between
from app.usage.usage import Counts, Totals
from app.versions import version_of
from app.web import key_changes, key_creation, key_form, leaks
from app.web.alerts import alert_context
from app.web.framework.page import Page, with_query
from app.web.key_creation import LIST
from app.web.presentation.filters import LEAK_REASONS
from app.web.presentation.key_status import key_status, rotation_status
from app.web.request_log import request_id_in
from app.web.usage import choice

PAGE_SIZE: Final = 25
MOST_ALERTS: Final = 20
# Of what only time changes, and of what others than the key's own requests do to its page.
LOOK_EVERY: Final = 30 * SECOND
SORTS: Final[Mapping[str, tuple[Order, bool]]] = {
    "newest": (Order.CREATED_AT, True),
    "oldest": (Order.CREATED_AT, False),
    "name": (Order.NAME, False),
    "name-z": (Order.NAME, True),
    "used": (Order.LAST_USED_AT, True),
    "unused": (Order.LAST_USED_AT, False),
    "expires": (Order.EXPIRES_AT, False),
    "expires-last": (Order.EXPIRES_AT, True),
    "rotate": (Order.ROTATE_BY, False),
    "rotate-last": (Order.ROTATE_BY, True),
}


@get(LIST)
async def listing(page: NamedDependency[Page]) -> Response[str]:
    key_filter = key_form.filter_from(page.query)
    if request_id := request_id_in(key_filter.search):
        return page.go(page.to("requests", request_id))
    sort = page.query.get("sort") if page.query.get("sort") in SORTS else "newest"
    found = await _found(page, key_filter, sort or "newest")
    progress_by_key = await rotations.of_keys(page.access, found.items)
    return page.show(
        "keys/list.html",
        found=found,
        key_filter=key_filter,
        sort=sort,
        by_schedule=bool(key_filter.rotation) or sort in ("rotate", "rotate-last"),
        query_label=page.query["label"] if key_filter.labels else None,
        filters=key_form.nonempty_filters(page.query),
        total=await keys.count(page.access, key_filter),
        is_filtered=key_filter != KeyFilter(),
        requests=await usage.totals(page.access, found.items) if page.may(Action.READ_USAGE) else {},
        meter=await plans.meter(page.access),
        catalogue=catalogue.current(),
        key_status=lambda key: rotation_status(progress_by_key.get(key.id)) or key_status(key, page.now, page.zone),
        rotate_by=lambda key: None if key.is_over(page.now) else key.rotate_by(_every(key)),
        link=lambda **changed: with_query(page.path, **{**key_form.nonempty_filters(page.query), **changed}),
    )


@get(f"{LIST}/{{key_id:str}}")
async def detail(page: NamedDependency[Page], key_id: FromPath[str]) -> Response[str]:
    """An open page polls with the mark of what it shows; the response is empty while the mark is still current."""
    key, shown = await keys.find(page.access, key_id), choice(page)
    found = await alerts.of_key(page.access, key, MOST_ALERTS)
    raised = [alert for alert in found if alert.is_open]
    polled = page.query.get("poll")
    if polled and polled == _mark(page, key, await usage.counts(page.access, key, *shown.range.span), raised):
        return page.unchanged()
    if not page.is_fragment:
        await checklists.note_visit(page.access)
    used = await usage.of_key(page.access, key, *shown.range.span)
    succession = await rotations.succession(page.access, key)
    totals = await usage.all_time(page.access, succession.line)
    return page.show(
        "keys/page.html",
        shown.status,
        **shown.context,
        key=key,
        seen=_mark(page, key, used.counts, raised),
        usage=used,
        total=totals[key.id],
        line_total=sum(totals.values(), Totals()),
        progress=succession.progress,
        callers=succession.callers,
        seen_callers=seen_between(succession.callers, shown.range.since, shown.range.until),
        line=succession.line,
        key_status=key_status(key, page.now, page.zone),
        leak_reasons=LEAK_REASONS,
        environment=catalogue.current().environment(key.environment),
        permissions=[catalogue.current().permission(name) for name in key.permissions],
        alerts=raised,
        suspender=next((alert for alert in found if alert.keeps_suspended), None),
        expected=await alerts.expectations(page.access, key),
        **alert_context(page),
        history=await audit.about(page.access, key.id, limit=20) if page.may(Action.READ_AUDIT) else [],
    )


async def _found(page: Page, key_filter: KeyFilter, sort: str) -> Found[ApiKey]:
    (order, descending), known = SORTS[sort], catalogue.current()
    after, before = [await _named(page, name) for name in ("after", "before")]
    window = Window(
        PAGE_SIZE,
        after=position_of(after, order, known, page.now) if after else None,
        before=position_of(before, order, known, page.now) if before else None,
        backwards=before is not None,
    )
    return await keys.page(page.access, window, key_filter, order, descending=descending)


def _mark(page: Page, key: ApiKey, counts: Counts, raised: list[Alert]) -> str:
    """A version of what the page shows: changes with the key, its counts in the chosen period, and its alerts, and every half
    minute anyway. The rest of the page is read later."""
    return version_of(key, counts, [(alert.id, alert.count) for alert in raised], page.now // LOOK_EVERY)


def _every(key: ApiKey) -> int | None:
    return catalogue.current().environment(key.environment).rotate_every_days


async def _named(page: Page, name: str) -> ApiKey | None:
    """The key at which a page of the list begins or ends; an unknown one is ignored rather than showing an empty list."""
    key_id = page.query.get(name)
    with contextlib.suppress(NotFound):
        return await keys.find(page.access, key_id) if key_id else None
    return None


HANDLERS = (listing, detail, *key_creation.HANDLERS, *key_changes.HANDLERS, *leaks.HANDLERS)
