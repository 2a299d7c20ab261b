"""Creates the demo by running the real use cases with the clock set back, so that its history is authentic.

A second run creates nothing twice; it only adds the traffic up to now.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from app import catalogue, database
from app.access import policy
from app.access.actor import Actor, Request, Role
from app.access.policy import OperatorAction
from app.authentication import service as authentication
from app.clock import DAY, HOUR, MINUTE, SECOND
from app.demo.scenario import EMAIL, FOUNDED_DAYS_AGO, NAME, SCENARIO, SLUG, TIMEZONE, WORKSPACE, DemoKey, Traffic
from app.demo.traffic import tallies
from app.errors import Conflict, NotFound
from app.keys import service as keys
from app.keys.key import ApiKey
from app.members import service as members
from app.paging import Window
from app.plans import service as plans
from app.rotations import service as rotations
from app.tenancy import service as tenancy
from app.tenancy.workspace import DAYS, BusinessHours, Workspace
from app.usage import store as usage_store
from app.users.user import User
from app.users.validation import email_key
from app.workspaces import service as workspaces

_FROM: Final = Request("198.51.100.12", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
_MOST: Final = 100


@dataclass(frozen=True, slots=True)
class Demo:
    """`password` is set after the first run only; later runs give a one-time link to choose a new one."""

    workspace: Workspace
    owner: User
    password: str | None = field(repr=False)
    link: str | None = field(repr=False)


async def make(actor: Actor) -> Demo:
    """Creates the workspace and its contents up to now. Operator only. Raises Conflict if its slug is taken."""
    policy.require_operator(actor, OperatorAction.MAKE_DEMO)
    now = await database.now()
    found = await _find(actor)
    password = None if found or await authentication.user_exists(actor, EMAIL) else secrets.token_urlsafe(18)
    owner, workspace = found or await _found(actor, now, password)
    ada = Actor.user(owner.id, owner.name, _FROM)
    made = await _live(ada, now)
    for part in SCENARIO:
        if part.traffic and part.name in made:
            await _count_all(part, part.traffic, made[part.name], ada, now)
    link = None if password else await authentication.password_reset_link(actor, EMAIL)
    return Demo(workspace, owner, password, link)


async def _find(actor: Actor) -> tuple[User, Workspace] | None:
    try:
        access = await tenancy.seen(actor, SLUG)
    except NotFound:
        return None
    for member in await members.members(access):
        if email_key(member.user.email) == EMAIL and member.role is Role.OWNER:
            return member.user, access.workspace
    raise Conflict(f"There is a workspace {SLUG} already, and it is not the demo's.")


async def _found(actor: Actor, now: int, password: str | None) -> tuple[User, Workspace]:
    founded = now - int(FOUNDED_DAYS_AGO * DAY)
    with _past(founded):
        owner, workspace = await authentication.create_owner(actor, email=EMAIL, name=NAME, password=password, workspace=WORKSPACE)
        await plans.change_plan(actor, SLUG, catalogue.current().plans_allowing(len(SCENARIO))[0].name)
    with _past(founded + 20 * MINUTE):
        hours = BusinessHours(DAYS[:5], "08:00", "18:00")
        workspace = await workspaces.update(Actor.user(owner.id, owner.name, _FROM), SLUG, timezone=TIMEZONE, business_hours=hours)
    return owner, workspace


async def _live(ada: Actor, now: int) -> dict[str, ApiKey]:
    """Runs the events of all keys in chronological order. Existing keys are not changed.

    Once all keys exist, none is created again, even if a user has renamed one.
    """
    # Newest first, so that of a key and its successor, which share a name, the older one is kept.
    made = {key.name: key for key in (await keys.page(await tenancy.seen(ada, SLUG), Window(_MOST))).items}
    events: list[tuple[int, Callable[[], Awaitable[None]]]] = []
    for part in SCENARIO if len(made) < len(SCENARIO) else ():
        if part.name not in made:
            events += _events(part, ada, now, made)
    for at, happen in sorted(events, key=lambda event: event[0]):
        with _past(at):
            await happen()
    return made


def _events(part: DemoKey, ada: Actor, now: int, made: dict[str, ApiKey]) -> list[tuple[int, Callable[[], Awaitable[None]]]]:
    """The creation of a key and, if it has one, its end."""
    created_at, settings = part.created_at_and_settings(catalogue.current(), now)

    async def make() -> None:
        made[part.name] = (await keys.create(ada, SLUG, settings)).key

    async def end() -> None:
        key_id = made[part.name].id
        made[part.name] = await (keys.revoke(ada, key_id, part.revoked, part.note) if part.revoked else keys.suspend(ada, key_id))

    async def hand_over() -> None:
        await rotations.start(ada, made[part.name].id, quiet_seconds=int(6 * HOUR / SECOND))

    ending = [(now - int(part.ended * DAY), end)] if part.ended is not None else []
    handover = [(now - int(part.handover.began * DAY), hand_over)] if part.handover else []
    return [(created_at, make), *ending, *handover]


async def _count_all(part: DemoKey, traffic: Traffic, key: ApiKey, ada: Actor, now: int) -> None:
    """For a key that is being rotated, all callers that have moved continue with the new key."""
    progress = await rotations.of_key(await tenancy.seen(ada, SLUG), key) if part.handover else None
    if part.handover is None or progress is None or not progress.is_open:
        await _count(traffic, key, now)
        return
    moved = progress.rotation.started_at + 3 * HOUR
    await _count(traffic, progress.predecessor, moved)
    await _count(part.handover.left, progress.predecessor, now)
    await _count(traffic, progress.successor, now, since=moved)


async def _count(traffic: Traffic, key: ApiKey, until: int, since: int | None = None) -> None:
    """Counts the key's uncounted requests, in transactions short enough not to hold up a running server."""
    newest = await usage_store.newest_hour(key.id)
    begun = key.created_at if since is None else since
    for tally in tallies(traffic, key, catalogue.current().permissions, begun if newest is None else newest + HOUR, until):
        async with database.transaction():
            await usage_store.add(tally)


@contextlib.contextmanager
def _past(at: int) -> Iterator[None]:
    """Sets the clock to `at` for everything inside."""
    before = database.frozen()
    database.freeze(at)
    try:
        yield
    finally:
        database.freeze(before)
