"""The private link to a workspace's calendar, and the calendar itself: when keys are due for rotation and when they expire."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from typing import Final

from app import catalogue, mail
from app.access.actor import Actor
from app.access.policy import Action
from app.audit import service as audit
from app.calendar import events, store
from app.calendar.feed import Event, render
from app.calendar.store import CalendarLink
from app.catalogue import Catalogue
from app.errors import NotFound
from app.keys import service as keys
from app.keys.filters import KeyFilter, Order, position_of
from app.keys.idempotency import only_once
from app.keys.key import ApiKey, Status
from app.paging import Window
from app.rotations import store as rotation_store
from app.tenancy import service as tenancy
from app.tenancy.service import Access
from app.tenancy.workspace import Workspace

PATH: Final = "/calendar/"
SUFFIX: Final = ".ics"
_LIVING: Final = KeyFilter(statuses=(Status.ACTIVE, Status.SUSPENDED))
_TOKEN_BYTES: Final = 32
_PAGE: Final = 100


async def find_link(access: Access) -> CalendarLink | None:
    """The active link of the workspace, if there is one."""
    access.require(Action.READ_KEYS)
    return await store.find(access.workspace.id)


async def renew_link(actor: Actor, slug: str | None, *, idempotency_key: str | None = None) -> str:
    """The full URL of the calendar, returned only this once; the previous link stops working.

    The link works as long as its creator is an editor or owner. Raises RepeatedRequest if the idempotency key already created one.
    """
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    async with tenancy.changing(actor, slug, Action.SHARE_CALENDAR) as change:
        await only_once(change, "renewCalendarLink", idempotency_key, [])
        await store.put(change.workspace.id, _digest(token), change.now, actor.id, actor.name)
        await audit.record(change, events.LINK_MADE, change.workspace.id)
    return mail.current().link(f"{PATH}{token}{SUFFIX}")


async def withdraw_link(actor: Actor, slug: str | None) -> None:
    """Deletes the link. No-op if there is none."""
    async with tenancy.changing(actor, slug, Action.SHARE_CALENDAR) as change:
        if await store.drop(change.workspace.id):
            await audit.record(change, events.LINK_WITHDRAWN, change.workspace.id)


async def read(token: str) -> bytes:
    """The calendar that a link's token opens, as iCalendar. Raises NotFound."""
    workspace = await store.find_workspace(_digest(token))
    if workspace is None:
        raise NotFound("calendar")
    access = await tenancy.seen(Actor.system(), None, workspace_id=workspace.id)
    now = access.now
    rotating = {rotation.predecessor_id for rotation in await rotation_store.open_rotations(workspace.id, now)}
    living, known = await _living(access), catalogue.current()
    events = [
        event for key in living for event in _events(workspace, key, known, mail.current().link, is_rotating=key.id in rotating)
    ]
    return render(f"API keys of {workspace.name}", workspace.timezone, events, now)


async def _living(access: Access) -> list[ApiKey]:
    found: list[ApiKey] = []
    window = Window(_PAGE)
    while True:
        part = await keys.page(access, window, _LIVING)
        found += part.items
        if not part.has_next:
            return found
        window = Window(_PAGE, after=position_of(part.items[-1], Order.CREATED_AT, catalogue.current(), access.now))


def _events(workspace: Workspace, key: ApiKey, known: Catalogue, link: Callable[[str], str], *, is_rotating: bool) -> list[Event]:
    """At most two; a key that is being rotated already has its successor."""
    environment = known.environment(key.environment)
    rotate_by = key.rotate_by(environment.rotate_every_days)
    url = link(f"/w/{workspace.slug}/settings/api-keys/{key.id}")
    what, about = f"{key.name} ({key.prefix}…)", f"{environment.title} key of {workspace.name}.\n{url}"
    events = []
    if rotate_by is not None and not is_rotating:
        events.append(Event(f"{key.id}-rotate-by@keydesk", rotate_by, f"Rotate {what}", about, url, all_day=True))
    if key.expires_at is not None:
        events.append(Event(f"{key.id}-expiry@keydesk", key.expires_at, f"{what} expires", about, url))
    return events


def _digest(token: str) -> bytes:
    """A plain digest: 256 random bits need no slow hash."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
