"""The first steps of a new workspace, which tick themselves off: a key, its first request, and someone else who hears of alerts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from litestar import Response, get
from litestar.di import NamedDependency

from app.access.policy import Action
from app.clock import DAY
from app.keys import service as keys
from app.keys.filters import KeyFilter
from app.keys.key import ApiKey, Status
from app.members import service as members
from app.paging import Window
from app.usage import service as usage
from app.web.framework.page import Page

# A person who works alone on purpose is not reminded of the last step for longer.
_NEW_DAYS: Final = 30


@dataclass(frozen=True, slots=True)
class FirstSteps:
    """Which steps are done. `newest_key` is one to send a request with, if there is one."""

    newest_key: ApiKey | None
    is_used: bool
    is_shared: bool

    @property
    def done(self) -> tuple[bool, bool, bool]:
        return self.newest_key is not None or self.is_used, self.is_used, self.is_shared

    @property
    def now(self) -> int | None:
        """The number of the first step that is not done, from 0; None if all are."""
        return self.done.index(False) if False in self.done else None

    @property
    def mark(self) -> str:
        """Differs when a page that shows these steps must be updated."""
        return "".join(str(int(each)) for each in self.done)


async def first_steps(page: Page) -> FirstSteps | None:
    """Those of the page's workspace; None if all are done, or the workspace is in use and no longer new."""
    used_at = await usage.last_used(page.access)
    if used_at is not None and page.access.workspace.created_at < page.now - _NEW_DAYS * DAY:
        return None
    steps = await _look(page, used_at)
    return None if steps.now is None else steps


@get("/w/{slug:str}/first-steps")
async def poll(page: NamedDependency[Page]) -> Response[str]:
    """What a page with the steps asks; empty while nothing was done."""
    if not page.is_fragment:
        return page.go(page.to())
    steps = await _look(page, await usage.last_used(page.access))
    if steps.mark == page.query.get("poll"):
        return page.unchanged()
    return page.show("home/_first_steps.html", steps=steps)


async def _look(page: Page, used_at: int | None) -> FirstSteps:
    newest = (await keys.page(page.access, Window(1), KeyFilter(statuses=(Status.ACTIVE,)))).items
    is_shared = page.access.workspace.webhooks > 0 or len(await members.members(page.access)) > 1
    if not is_shared and page.may(Action.READ_MEMBERS):
        is_shared = bool(await members.invitations(page.access))
    return FirstSteps(newest[0] if newest else None, used_at is not None, is_shared)


HANDLERS = (poll,)
