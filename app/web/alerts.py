"""The alert list of a workspace: what asks for something to be done, what was told before, and days on which many keys end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from app.clock import DAY
from app.notices import service as notices
from app.notices.notice import Kind, Notice
from app.rotations import service as rotations
from app.web.endings import ending_keys, endings
from app.web.formats import day, relative
from app.web.page import Page
from app.web.standing import Standing, rotating, standing

ALERTS: Final = "/w/{slug:str}/alerts"
MOST_PAST: Final = 100


@dataclass(frozen=True, slots=True)
class Way:
    """What one can do about a notice: a page of the key, and the action that it takes to use it."""

    words: str
    path: str
    action: str


_ROTATE: Final = Way("Rotate", "rotation", "rotate_api_key")
_EXTEND: Final = Way("Extend", "edit", "update_api_key")
_FINISH: Final = Way("Finish the rotation", "rotation", "complete_rotation")
_REVOKE: Final = Way("Revoke", "revocation", "revoke_api_key")
WAYS: Final[Mapping[Kind, tuple[Way, ...]]] = {
    Kind.ROTATE_BY: (_ROTATE, _REVOKE),
    Kind.EXPIRY: (_EXTEND, _REVOKE),
    Kind.DEADLINE: (_FINISH,),
}
_BEFORE: Final = {Kind.ROTATE_BY: "Rotation due", Kind.EXPIRY: "Expiry"}
_AT_LAST: Final = {Kind.ROTATE_BY: "Rotation overdue", Kind.EXPIRY: "Expired", Kind.DEADLINE: "Rotation past its deadline"}


@get(ALERTS)
async def alerts(page: NamedDependency[Page], slug: FromPath[str]) -> Response[str]:
    runs = {run.predecessor.id: run for run in await rotations.open_runs(page.actor, page.slug)}
    return page.show(
        "alerts/list.html",
        notices=await notices.open_notices(page.actor, page.slug),
        past=await notices.past_notices(page.actor, page.slug, MOST_PAST),
        endings=endings(await ending_keys(page), page.now, page.zone),
        stands=lambda notice: stands(notice, page.now, page.zone),
        ways=lambda notice: [way for way in WAYS[notice.kind] if page.may(way.action)],
        told=told,
        standing=lambda key: rotating(runs.get(key.id)) or standing(key, page.now, page.zone),
    )


def stands(notice: Notice, now: int, zone: str) -> Standing:
    """An open notice as it is by now, not as it was when it was told."""
    at = day(notice.about, zone)
    if notice.kind is Kind.DEADLINE:
        return Standing("Deadline passed", "bad", f"on {at}; both keys work on and count on the plan")
    if notice.kind is Kind.EXPIRY:
        urgent = notice.about - now <= DAY
        return Standing(f"Expires {relative(notice.about, now)}", "bad" if urgent else "warn", f"{at}, then it is refused for ever")
    if notice.has_come(now):
        return Standing("Rotation overdue", "bad", f"since {at}; it works on")
    return Standing(f"Rotate {relative(notice.about, now)}", "warn", f"by {at}")


def told(notice: Notice) -> str:
    """What was told at the time: `Expiry in 7 days`."""
    if notice.days == 0:
        return _AT_LAST[notice.kind]
    return f"{_BEFORE[notice.kind]} in {notice.days} day{'' if notice.days == 1 else 's'}"


HANDLERS = (alerts,)
