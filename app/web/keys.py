"""The page of an API key."""

from __future__ import annotations

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
from app.keys import service as keys
from app.keys.key import ApiKey
from app.rotations import service as rotations
from app.usage import service as usage
from app.usage.caller import seen_between
from app.usage.usage import Counts, Totals
from app.versions import version_of
from app.web import bulk_changes, key_changes, key_creation, key_list, leaks
from app.web.alerts import alert_context
from app.web.framework.page import Page
from app.web.key_creation import LIST
from app.web.presentation.filters import LEAK_REASONS
from app.web.presentation.key_status import status_in
from app.web.usage import choice

MOST_ALERTS: Final = 20
# Of what only time changes, and of what others than the key's own requests do to its page.
LOOK_EVERY: Final = 30 * SECOND


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
        key_status=status_in(succession.progress, key, page.now, page.zone),
        leak_reasons=LEAK_REASONS,
        environment=catalogue.current().environment(key.environment),
        permissions=[catalogue.current().permission(name) for name in key.permissions],
        alerts=raised,
        suspender=next((alert for alert in found if alert.keeps_suspended), None),
        expected=await alerts.expectations(page.access, key),
        **alert_context(page),
        history=await audit.about(page.access, key.id, limit=20) if page.may(Action.READ_AUDIT) else [],
    )


def _mark(page: Page, key: ApiKey, counts: Counts, raised: list[Alert]) -> str:
    """A version of what the page shows: changes with the key, its counts in the chosen period, and its alerts, and every half
    minute anyway. The rest of the page is read later."""
    return version_of(key, counts, [(alert.id, alert.count) for alert in raised], page.now // LOOK_EVERY)


HANDLERS = (*key_list.HANDLERS, detail, *bulk_changes.HANDLERS, *key_creation.HANDLERS, *key_changes.HANDLERS, *leaks.HANDLERS)
