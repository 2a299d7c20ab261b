"""What the revocation journal names as taken away and the database has living is taken away again.

A database that was put back from a backup does not know what was taken away since, and everybody had been answered that it was.
Whether the database knows a line is read from its audit log: an entry about the same thing, as late or later, means that what
the database has now is the later truth.
"""

from __future__ import annotations

import contextlib
import logging
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import Final

from app import clock, database
from app.access.actor import Actor, Role
from app.access.policy import Action
from app.audit import service as audit
from app.audit import store as audit_store
from app.calendar import store as calendar_store
from app.gateways import store as gateway_store
from app.journal import file as journal
from app.journal.lines import SUBJECTS, Contents, Subject, Taken, subject
from app.keys import service as keys
from app.keys import store as key_store
from app.keys.key import Reason
from app.management import store as management_store
from app.members import service as members
from app.tenancy import service as tenancy
from app.tenancy import store as workspace_store
from app.tenancy.service import Change

SYSTEM: Final = Actor.system()
_NEWEST: Final = 100
# Beyond so many it is no dearer to ask about all.
_MOST: Final = 1_000
_SAID: Final = {
    "key.revoked": "API keys revoked",
    "management_key.revoked": "management keys revoked",
    "gateway_token.revoked": "gateway tokens revoked",
    "member.removed": "members removed",
    "member.role_changed": "roles reduced",
    "key.suspended": "API keys suspended",
    "workspace.suspended": "workspaces suspended",
    "calendar_link.withdrawn": "calendar links withdrawn",
    "calendar_link.made": "calendar links of before a renewal withdrawn",
}
_log = logging.getLogger("keydesk.journal")


async def pending(of: Collection[str] | None = None) -> list[Taken]:
    """What the journal names as taken away and the database has living, `of` these ids or of all. Raises OSError when the file
    cannot be read."""
    return [said[-1] for said in await _pending(await journal.current().contents(), of)]


async def replay(of: Collection[str] | None = None) -> Counter[str]:
    """Takes away again, each in a change of its own with its audit entry; answers how many of each kind.

    Called before anything listens. Killed in between, the next start does the rest. Raises OSError as `pending` does.
    """
    contents = await journal.current().contents()
    done: Counter[str] = Counter()
    for said in await _pending(contents, of):
        done[said[-1].kind] += await _take(said, contents)
    if done.total():
        _log.warning("taken away again, as the revocation journal says: %s", told(done))
    return done


async def keep_up() -> None:
    """`replay` in a node that runs, since a database may be put back under it.

    It is asked about what is new in the journal, and once more about the newest lines. A database that was put back lacks
    these before any other, and is then asked about all; so is another server.
    """
    book = journal.current()
    # A file that cannot be read is told by `catch_up`, and by /readyz until it can.
    with contextlib.suppress(OSError):
        contents, server = await book.contents(), await database.server()
        recent = {*list(contents.fresh), *_newest(contents)}
        unknown = frozenset(recent - await audit_store.known(recent)) if len(recent) <= _MOST else None
        is_known = book.asked is not None and server == book.asked[0] and unknown is not None and unknown <= book.asked[1]
        if not is_known or (await replay(recent)).total():
            await replay()
        book.asked = server, unknown or frozenset()
        for each in recent:
            contents.fresh.pop(each, None)


async def is_elsewhere() -> bool:
    """Whether another server answers than the one that was asked about all lines. Raises Unavailable."""
    asked = journal.current().asked
    return asked is not None and await database.server() != asked[0]


def told(counts: Counter[str]) -> str:
    """`2 API keys revoked, 1 members removed`; what there is none of is left out."""
    return ", ".join(f"{counts[kind]} {text}" for kind, text in _SAID.items() if counts[kind])


def _newest(contents: Contents) -> Iterator[str]:
    """The ids of the last lines of either kind."""
    yield from list(contents.keys)[-_NEWEST:]
    yield from (taken.id for taken in list(contents.taken)[-_NEWEST:])


async def _pending(contents: Contents, of: Collection[str] | None) -> list[Sequence[Taken]]:
    """What was said of each thing that is pending; the last of it is what takes it away."""
    named = dict(contents.keys) if of is None else {key: contents.keys[key] for key in of if key in contents.keys}
    living = await key_store.unrevoked(None if of is None else named)
    found: list[Sequence[Taken]] = [[Taken("key.revoked", key, living[key], at)] for key, (at, _) in named.items() if key in living]
    return found + [said for said in _said(contents) if (of is None or said[-1].id in of) and await _lives(said)]


def _said(contents: Contents) -> list[list[Taken]]:
    """Of each thing what was said of it, in the order of the file: a clock that was ahead makes no line a later one."""
    found: dict[Subject, list[Taken]] = {}
    for taken in list(contents.taken):
        found.setdefault(subject(taken), []).append(taken)
    return list(found.values())


async def _lives(said: Sequence[Taken]) -> bool:
    """Whether the database has as living what the last of these lines takes away, without having heard of it: its audit log has
    nothing about it that is as late or later, but what the lines before say."""
    taken = said[-1]
    match taken.kind:
        case "management_key.revoked":
            key = await management_store.find(taken.chain, taken.id)
            return key is not None and key.revoked_at is None
        case "gateway_token.revoked":
            return any(token.revoked_at is None for token in await gateway_store.find(taken.id) if token.id == taken.id)
        case "key.suspended":
            api_key = await key_store.find(taken.chain, taken.id)
            living = api_key is not None and api_key.revocation is None and api_key.suspended_at is None
        case "workspace.suspended":
            workspace = await workspace_store.find(taken.id)
            living = workspace is not None and workspace.suspended_at is None
        case "calendar_link.withdrawn" | "calendar_link.made":
            living = await calendar_store.exists(taken.id)
        case "member.removed":
            living = await workspace_store.find_member(taken.chain, taken.id) is not None
        case "member.role_changed":
            member = await workspace_store.find_member(taken.chain, taken.id)
            role = _role(taken)
            living = member is not None and role is not None and member.role is not role and member.role.includes(role)
        case _:
            return False
    if not living:
        return False
    heard = await audit_store.said_since(taken.chain, taken.id, SUBJECTS[subject(taken)[0]], taken.at)
    return {audit.taken_of(entry) for entry in heard} <= {*said[:-1]}


async def _take(lines: Sequence[Taken], contents: Contents) -> int:
    """1, or 0 where somebody else did it meanwhile."""
    taken = lines[-1]
    said = {"from": "the journal", "journal_at": clock.rfc3339(taken.at)}
    if taken.kind == "gateway_token.revoked":
        async with tenancy.changing_installation(SYSTEM) as change:
            await gateway_store.revoke(taken.id, taken.at)
            await audit.record(change, taken.kind, taken.id, **said)
        return 1
    async with tenancy.changing(SYSTEM, None, Action.UPDATE_WORKSPACE, workspace_id=taken.chain) as change:
        # Asked again under the lock: what was taken before may have taken this along.
        if taken.kind != "key.revoked" and not await _lives(lines):
            return 0
        return int(await _take_in(change, taken, contents, said))


async def _take_in(change: Change, taken: Taken, contents: Contents, said: dict[str, str]) -> bool:
    match taken.kind:
        case "key.revoked":
            key = await key_store.find(taken.chain, taken.id)
            if key is None or key.revocation is not None:
                return False
            await keys.revoke_in(change, key, _reason(contents.keys[taken.id][1]), None, at=taken.at, **said)
            return True
        case "member.removed" | "member.role_changed":
            member, role = await workspace_store.find_member(taken.chain, taken.id), _role(taken)
            if member is None:
                return False
            if taken.kind == "member.removed":
                await members.remove_in(change, member, **said)
            elif role is not None:
                await members.set_role_in(change, member, role, **said)
            return True
        case "calendar_link.withdrawn" | "calendar_link.made":
            await calendar_store.drop(taken.id)
            await audit.record(change, "calendar_link.withdrawn", taken.id, **said)
            return True
        case "management_key.revoked":
            await management_store.revoke(taken.id, taken.at)
        case "key.suspended":
            await key_store.update(taken.id, {"suspended_at": taken.at})
        case "workspace.suspended":
            await workspace_store.update(taken.id, {"suspended_at": taken.at})
    await audit.record(change, taken.kind, taken.id, **said)
    return True


def _role(taken: Taken) -> Role | None:
    return Role(taken.role) if taken.role in {str(role) for role in Role} else None


def _reason(text: str) -> Reason:
    return Reason(text) if text in {str(reason) for reason in Reason} else Reason.OTHER
