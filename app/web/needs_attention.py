"""The keys of a workspace that need attention: one query per reason, so that the cost does not grow with the number of keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from app.keys import service as keys
from app.keys.filters import KeyFilter, Order
from app.keys.key import ApiKey, RotationDue, Status
from app.paging import Window
from app.rotations.rotation import Progress
from app.web.framework.page import Page
from app.web.presentation.key_status import KeyStatus, key_status, status_in

MOST_OF_A_REASON: Final = 20
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
    """A key that a user should act on."""

    key: ApiKey
    key_status: KeyStatus


@dataclass(frozen=True, slots=True)
class UrgentKeys:
    """Keys that need attention, the most urgent first; `more`: there are others."""

    urgent: tuple[UrgentKey, ...]
    more: bool


async def keys_needing_attention(page: Page, open_rotations: Sequence[Progress]) -> UrgentKeys:
    """The keys of the page's workspace. A key under rotation appears once, with the rotation's progress."""
    found = {
        progress.predecessor.id: UrgentKey(progress.predecessor, status_in(progress, progress.predecessor, page.now, page.zone))
        for progress in open_rotations
    }
    succeeding, more = {progress.successor.id for progress in open_rotations}, False
    for filter, order in _LISTS:
        part = await keys.page(page.access, Window(MOST_OF_A_REASON), filter, order, descending=False)
        found_here = [UrgentKey(key, key_status(key, page.now, page.zone)) for key in part.items if key.id not in succeeding]
        found |= {each.key.id: each for each in found_here if each.key_status.is_urgent and each.key.id not in found}
        more = more or (part.has_next and bool(found_here) and found_here[-1].key_status.is_urgent)
    return UrgentKeys(tuple(sorted(found.values(), key=lambda each: (each.key_status.rank, each.key.created_at))), more)
