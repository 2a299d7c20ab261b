"""Living through the demo: the real use cases, with the clock turned back, so that the past is as it would have been.

Made again it makes nothing twice; it only goes on with the traffic up to now.
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
from app.access.policy import Action, OperatorAction
from app.accounts import service as accounts
from app.accounts.person import email_key
from app.clock import DAY, HOUR, MINUTE, SECOND
from app.demo.cast import CAST, EMAIL, FOUNDED_DAYS_AGO, NAME, SLUG, TIMEZONE, WORKSPACE, Part, Traffic
from app.demo.traffic import tallies
from app.errors import Conflict, NotFound
from app.keys import service as keys
from app.keys.key import ApiKey
from app.keys.listing import Window
from app.members import service as members
from app.plans import service as plans
from app.rotations import service as rotations
from app.tenancy import service as tenancy
from app.tenancy.workspace import DAYS, BusinessHours, User, Workspace
from app.usage import store as usage_store
from app.workspaces import service as workspaces

_FROM: Final = Request("198.51.100.12", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
_MOST: Final = 100


@dataclass(frozen=True, slots=True)
class Demo:
    """`password` is there the first time only; afterwards a one-time link to choose a new one."""

    workspace: Workspace
    owner: User
    password: str | None = field(repr=False)
    link: str | None = field(repr=False)


async def make(actor: Actor) -> Demo:
    """The workspace and everything in it, up to now. Operator only. Raises Conflict if somebody else has its address."""
    policy.require_operator(actor, OperatorAction.MAKE_DEMO)
    now = await database.now()
    found = await _find(actor)
    password = None if found or await accounts.is_known(actor, EMAIL) else secrets.token_urlsafe(18)
    owner, workspace = found or await _found(actor, now, password)
    ada = Actor.user(owner.id, owner.name, _FROM)
    made = await _live(ada, now)
    for part in CAST:
        if part.traffic and part.name in made:
            await _count_all(part, part.traffic, made[part.name], ada, now)
    link = None if password else await accounts.password_reset_link(actor, EMAIL)
    return Demo(workspace, owner, password, link)


async def _find(actor: Actor) -> tuple[User, Workspace] | None:
    try:
        workspace = (await tenancy.reading(actor, SLUG, Action.READ_WORKSPACE)).workspace
    except NotFound:
        return None
    for member in await members.members(actor, SLUG):
        if email_key(member.user.email) == EMAIL and member.role is Role.OWNER:
            return member.user, workspace
    raise Conflict(f"There is a workspace {SLUG} already, and it is not the demo's.")


async def _found(actor: Actor, now: int, password: str | None) -> tuple[User, Workspace]:
    founded = now - int(FOUNDED_DAYS_AGO * DAY)
    with _past(founded):
        owner, workspace = await accounts.create_owner(actor, email=EMAIL, name=NAME, password=password, workspace=WORKSPACE)
        await plans.change_plan(actor, SLUG, catalogue.current().plans_allowing(len(CAST))[0].name)
    with _past(founded + 20 * MINUTE):
        hours = BusinessHours(DAYS[:5], "08:00", "18:00")
        workspace = await workspaces.update(Actor.user(owner.id, owner.name, _FROM), SLUG, timezone=TIMEZONE, business_hours=hours)
    return owner, workspace


async def _live(ada: Actor, now: int) -> dict[str, ApiKey]:
    """Everything that happened to keys, in the order in which it did. Keys that are there are left as they are.

    Once all were made, none is made again: whoever renamed one has not lost it.
    """
    # The newest come first: of a key and its successor, which share a name, the older one stays.
    made = {key.name: key for key in (await keys.page(ada, SLUG, Window(_MOST))).keys}
    events: list[tuple[int, Callable[[], Awaitable[None]]]] = []
    for part in CAST if len(made) < len(CAST) else ():
        if part.name not in made:
            events += _events(part, ada, now, made)
    for at, happen in sorted(events, key=lambda event: event[0]):
        with _past(at):
            await happen()
    return made


def _events(part: Part, ada: Actor, now: int, made: dict[str, ApiKey]) -> list[tuple[int, Callable[[], Awaitable[None]]]]:
    """The birth of a key and, where it has one, its end."""
    born, asked = part.asked(catalogue.current(), now)

    async def make() -> None:
        made[part.name] = (await keys.create(ada, SLUG, asked)).key

    async def end() -> None:
        key_id = made[part.name].id
        made[part.name] = await (keys.revoke(ada, key_id, part.revoked, part.note) if part.revoked else keys.suspend(ada, key_id))

    async def hand_over() -> None:
        await rotations.start(ada, made[part.name].id, quiet_seconds=int(6 * HOUR / SECOND))

    ending = [(now - int(part.ended * DAY), end)] if part.ended is not None else []
    handover = [(now - int(part.handover.began * DAY), hand_over)] if part.handover else []
    return [(born, make), *ending, *handover]


async def _count_all(part: Part, traffic: Traffic, key: ApiKey, ada: Actor, now: int) -> None:
    """Also of a key that is being rotated: then its callers go on with the new one, all but those that are left."""
    run = await rotations.of_key(ada, key.id) if part.handover else None
    if part.handover is None or run is None or not run.is_open:
        await _count(traffic, key, now)
        return
    moved = run.rotation.started_at + 3 * HOUR
    await _count(traffic, run.predecessor, moved)
    await _count(part.handover.left, run.predecessor, now)
    await _count(traffic, run.successor, now, since=moved)


async def _count(traffic: Traffic, key: ApiKey, until: int, since: int | None = None) -> None:
    """The key's requests that are not counted yet, in transactions short enough for a server at work beside us."""
    newest = await usage_store.newest_hour(key.id)
    begun = key.created_at if since is None else since
    for tally in tallies(traffic, key, begun if newest is None else newest + HOUR, until):
        async with database.transaction():
            await usage_store.add(tally)


@contextlib.contextmanager
def _past(at: int) -> Iterator[None]:
    """Everything inside happens then."""
    before = database.frozen()
    database.freeze(at)
    try:
        yield
    finally:
        database.freeze(before)
