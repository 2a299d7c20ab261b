"""What of a workspace needs attention: asked of the database by reason, so that it costs the same however many keys there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from app.keys import service as keys
from app.keys.key import ApiKey, RotationDue, Status
from app.keys.listing import KeyFilter, Order, Window
from app.rotations import service as rotations
from app.web.page import Page
from app.web.standing import Standing, rotating, standing

MOST_OF_A_REASON: Final = 20
_ACTIVE: Final = (Status.ACTIVE,)
# The first keys of each of these lists are those that want something: suspended, due, about to end, never used.
_LISTS: Final = (
    (KeyFilter(statuses=(Status.SUSPENDED,)), Order.CREATED_AT),
    (KeyFilter(statuses=_ACTIVE, rotation=(RotationDue.OVERDUE, RotationDue.DUE_SOON)), Order.ROTATE_BY),
    (KeyFilter(statuses=_ACTIVE), Order.EXPIRES_AT),
    (KeyFilter(statuses=_ACTIVE), Order.LAST_USED_AT),
)


@dataclass(frozen=True, slots=True)
class Urgent:
    """A key that wants something of somebody."""

    key: ApiKey
    standing: Standing


@dataclass(frozen=True, slots=True)
class Attention:
    """The most urgent first; `more`: there are others beyond them."""

    urgent: tuple[Urgent, ...]
    more: bool


async def attention(page: Page) -> Attention:
    """Of the page's workspace. A key that has its successor already says how far that is, once."""
    runs = await rotations.open_runs(page.actor, page.slug)
    found = {
        run.predecessor.id: Urgent(run.predecessor, rotating(run) or standing(run.predecessor, page.now, page.zone)) for run in runs
    }
    succeeding, more = {run.successor.id for run in runs}, False
    for filter, order in _LISTS:
        part = await keys.page(page.actor, page.slug, Window(MOST_OF_A_REASON), filter, order, descending=False)
        stands = [Urgent(key, standing(key, page.now, page.zone)) for key in part.keys if key.id not in succeeding]
        found |= {each.key.id: each for each in stands if each.standing.is_urgent and each.key.id not in found}
        more = more or (part.has_next and bool(stands) and stands[-1].standing.is_urgent)
    return Attention(tuple(sorted(found.values(), key=lambda each: (each.standing.rank, each.key.created_at))), more)
