"""The private link to a workspace's calendar, and what whoever has it reads: when keys are to be rotated and when they expire."""

from __future__ import annotations

import hashlib
import secrets
from typing import Final

from app import catalogue, database, mail
from app.access.actor import Actor
from app.access.policy import Action
from app.audit import service as audit
from app.calendar import store
from app.calendar.feed import Event, render
from app.calendar.store import CalendarLink
from app.errors import NotFound
from app.keys import service as keys
from app.keys.key import ApiKey, Status
from app.keys.listing import KeyFilter, Order, Window, place_of
from app.keys.repeat import only_once
from app.rotations import store as rotation_store
from app.tenancy import service as tenancy
from app.tenancy.workspace import Workspace

PATH: Final = "/calendar/"
SUFFIX: Final = ".ics"
_LIVING: Final = KeyFilter(statuses=(Status.ACTIVE, Status.SUSPENDED))
_TOKEN_BYTES: Final = 32
_PAGE: Final = 100


async def find_link(actor: Actor, slug: str | None) -> CalendarLink | None:
    """Whether the workspace has a link that works, and since when."""
    access = await tenancy.reading(actor, slug, Action.READ_KEYS)
    return await store.find(access.workspace.id)


async def renew_link(actor: Actor, slug: str | None, *, idempotency_key: str | None = None) -> str:
    """The full address of the calendar, answered this once; the one before leads nowhere any more.

    It works as long as its maker is an editor or owner. Raises Repeated for an idempotency key that made one before.
    """
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    async with tenancy.changing(actor, slug, Action.SHARE_CALENDAR) as change:
        await only_once(change, "renewCalendarLink", idempotency_key, [])
        await store.put(change.place.id, _digest(token), change.now, actor.id, actor.name)
        await audit.record(change, "calendar_link.made", change.place.id)
    return mail.current().link(f"{PATH}{token}{SUFFIX}")


async def withdraw_link(actor: Actor, slug: str | None) -> None:
    """Nobody reads the calendar any more. Without a link nothing happens."""
    async with tenancy.changing(actor, slug, Action.SHARE_CALENDAR) as change:
        if await store.drop(change.place.id):
            await audit.record(change, "calendar_link.withdrawn", change.place.id)


async def read(token: str) -> bytes:
    """The calendar that a link's token opens, as iCalendar. Raises NotFound."""
    place = await store.find_place(_digest(token))
    if place is None:
        raise NotFound("calendar")
    now = await database.now()
    rotating = {run.predecessor_id for run in await rotation_store.open_runs(place.id, now)}
    living = await _living(place, now)
    events = [event for key in living for event in _events(place, key, is_rotating=key.id in rotating)]
    return render(f"API keys of {place.name}", place.timezone, events, now)


async def _living(place: Workspace, now: int) -> list[ApiKey]:
    found: list[ApiKey] = []
    window = Window(_PAGE)
    while True:
        part = await keys.page(Actor.system(), place.slug, window, _LIVING)
        found += part.keys
        if not part.has_next:
            return found
        window = Window(_PAGE, after=place_of(part.keys[-1], Order.CREATED_AT, now))


def _events(place: Workspace, key: ApiKey, *, is_rotating: bool) -> list[Event]:
    """At most two; a key that is being rotated has got its successor already."""
    environment = catalogue.current().environment(key.environment)
    rotate_by = key.rotate_by(environment.rotate_every_days)
    url = mail.current().link(f"/w/{place.slug}/settings/api-keys/{key.id}")
    what, about = f"{key.name} ({key.prefix}…)", f"{environment.title} key of {place.name}.\n{url}"
    events = []
    if rotate_by is not None and not is_rotating:
        events.append(Event(f"{key.id}-rotate-by@keydesk", rotate_by, f"Rotate {what}", about, url, all_day=True))
    if key.expires_at is not None:
        events.append(Event(f"{key.id}-expiry@keydesk", key.expires_at, f"{what} expires", about, url))
    return events


def _digest(token: str) -> bytes:
    """256 random bits need no slow digest."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
