"""The keys of a workspace that need attention: one query per reason, so that the cost does not grow with their number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from app.alerts import service as alerts
from app.alerts.alert import Alert, Kind
from app.alerts.rules import remedies
from app.alerts.rules.rule import Remedy
from app.keys import service as keys
from app.keys.filters import KeyFilter, Order
from app.keys.key import ApiKey, RotationDue, Status
from app.paging import Window
from app.rotations.rotation import Progress
from app.web.alerts import alert_status
from app.web.framework.page import Page
from app.web.presentation.key_status import KeyStatus, key_status, status_in

MOST_OF_A_REASON: Final = 20
# Before every status.
_ALERT_RANK: Final = -1
_ACTIVE: Final = (Status.ACTIVE,)
# Each of these lists begins with keys that need attention: suspended, due for rotation, expiring soon, never used.
_LISTS: Final = (
    (KeyFilter(statuses=(Status.SUSPENDED,)), Order.CREATED_AT),
    (KeyFilter(statuses=_ACTIVE, rotation=(RotationDue.OVERDUE, RotationDue.DUE_SOON)), Order.ROTATE_BY),
    (KeyFilter(statuses=_ACTIVE), Order.EXPIRES_AT),
    (KeyFilter(statuses=_ACTIVE), Order.LAST_USED_AT),
)


@dataclass(frozen=True, slots=True)
class UrgentKey:
    """A key that a user should act on, why, and what they may do about it."""

    key: ApiKey
    key_status: KeyStatus
    remedy: Remedy | None


@dataclass(frozen=True, slots=True)
class UrgentKeys:
    """Keys that need attention, the most urgent first; `more`: there are others."""

    urgent: tuple[UrgentKey, ...]
    more: bool


async def keys_needing_attention(page: Page, open_rotations: Sequence[Progress]) -> UrgentKeys:
    """The keys of the page's workspace, each once: with an open alert, else with its rotation or its own status."""
    found = {
        alert.key.id: _alerted(page, alert) for alert in reversed(await alerts.open_alerts(page.access)) if _adds(alert, page.now)
    }
    for progress in open_rotations:
        key = progress.predecessor
        found.setdefault(key.id, _urgent(page, key, status_in(progress, key, page.now, page.zone)))
    succeeding, more = {progress.successor.id for progress in open_rotations}, False
    for filter, order in _LISTS:
        part = await keys.page(page.access, Window(MOST_OF_A_REASON), filter, order, descending=False)
        found_here = [_urgent(page, key, key_status(key, page.now, page.zone)) for key in part.items if key.id not in succeeding]
        found |= {each.key.id: each for each in found_here if each.key_status.is_urgent and each.key.id not in found}
        more = more or (part.has_next and bool(found_here) and found_here[-1].key_status.is_urgent)
    return UrgentKeys(tuple(sorted(found.values(), key=lambda each: (each.key_status.rank, each.key.created_at))), more)


def _adds(alert: Alert, now: int) -> bool:
    """Whether the alert says more than the status of its key, which has the dates while the key lives."""
    return alert.kind not in (Kind.ROTATE_BY, Kind.EXPIRY) or alert.key.is_over(now)


def _alerted(page: Page, alert: Alert) -> UrgentKey:
    status = replace(alert_status(alert, page.now, page.zone), rank=_ALERT_RANK)
    return UrgentKey(alert.key, status, next((each for each in remedies(alert) if page.may(each.action)), None))


def _urgent(page: Page, key: ApiKey, status: KeyStatus) -> UrgentKey:
    return UrgentKey(key, status, status.remedy if status.remedy and page.may(status.remedy.action) else None)
