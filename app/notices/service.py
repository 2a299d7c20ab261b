"""Telling people in time, once, whichever node is at work, and looking at what was told."""

from __future__ import annotations

import logging
from typing import Final

from app import database, mail
from app.access.actor import Actor, Role
from app.access.policy import Action
from app.errors import Unavailable
from app.notices import letters, store
from app.notices.notice import Due, Notice
from app.tenancy import service as tenancy
from app.tenancy import store as workspace_store
from app.tenancy.workspace import Workspace

MOST_SHOWN: Final = 200
# So much is written in one transaction: nobody waits long for the lock of their workspace.
_PIECE: Final = 20
_log = logging.getLogger("keydesk.notices")


async def run(now: int) -> list[Notice]:
    """Tells everything that has become due and was never told, and resolves what asks for nothing any more; answers what
    was told.

    For the job. Two at once, or one after a crash, tell nothing twice: a notice is decided and recorded in one transaction
    under the lock of its workspace. Mail follows the commit, so each mail goes out at most once; the list is the truth.
    """
    if await store.anything_resolved(now):
        async with database.transaction():
            await store.resolve(now)
    told: list[Notice] = []
    for workspace_id in await store.places_with_news(now):
        try:
            told += await _tell(workspace_id, now)
        except Unavailable as failure:
            _log.warning("notices are put off: %s", failure.internal)
        except Exception:
            # One workspace that cannot be told keeps no other from its notices.
            _log.exception("the notices of %s could not be given", workspace_id)
    return told


async def open_notices(actor: Actor, slug: str | None) -> list[Notice]:
    """What still asks for something to be done, the newest first, at most MOST_SHOWN."""
    access = await tenancy.reading(actor, slug, Action.READ_KEYS)
    return await store.newest(access.workspace.id, await database.now(), MOST_SHOWN, open_only=True)


async def past_notices(actor: Actor, slug: str | None, limit: int) -> list[Notice]:
    """What was told and asks for nothing any more, the newest first."""
    access = await tenancy.reading(actor, slug, Action.READ_KEYS)
    return await store.newest(access.workspace.id, await database.now(), limit, open_only=False)


async def count_open(workspace_id: str, now: int) -> int:
    """How many there are, in one statement, for a workspace that the caller has already been let into."""
    return await store.count_open(workspace_id, now)


async def _tell(workspace_id: str, now: int) -> list[Notice]:
    new: list[Due] = []
    place: Workspace | None = None
    while True:
        # Nothing of the workspace changes, so there is no audit entry: the notice is its own record.
        async with tenancy.changing(Actor.system(), None, Action.READ_KEYS, workspace_id=workspace_id) as change:
            place = change.place
            found = await store.due(place.id, now, _PIECE)
            new += [each for each in found if await store.add(place.id, each, now)]
        if len(found) < _PIECE:
            break
    told = await store.told(new, now)
    if told:
        await _mail(place, told, now)
    return told


async def _mail(place: Workspace, told: list[Notice], now: int) -> None:
    """One letter to each of those who can do something about it."""
    letter = letters.digest(place, told, now)
    for member in await workspace_store.members(place.id):
        if member.role.includes(Role.EDITOR):
            mail.current().send(member.user.email, letter.subject, letter.text)
