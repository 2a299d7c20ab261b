"""What the revocation journal names as taken away and the database has living is taken away again.

A database that was put back from a backup does not know what was taken away since, and everybody had been answered that it was.
Whether the database knows a line is read from its audit log: an entry about the same thing, as late or later, means that what
the database has now is the later truth.
"""

from __future__ import annotations

import logging
from collections import Counter
from typing import Final

from app import clock
from app.access.actor import Actor, Role
from app.access.policy import Action
from app.audit import service as audit
from app.audit import store as audit_store
from app.gateways import store as gateway_store
from app.keys import journal
from app.keys import service as keys
from app.keys import store as key_store
from app.keys.journal_lines import Contents, Taken
from app.keys.key import Reason
from app.management import store as management_store
from app.members import service as members
from app.workspaces import service as workspaces
from app.workspaces import store as workspace_store
from app.workspaces.service import Change

SYSTEM: Final = Actor.system()
# What is said of one thing, of which the latest counts.
_SUBJECTS: Final = (
    ("key.suspended", "key.resumed"),
    ("workspace.suspended", "workspace.resumed"),
    ("member.removed", "member.joined", "member.role_changed"),
    ("management_key.revoked",),
    ("gateway_token.revoked",),
)
_SAID: Final = {
    "key.revoked": "API keys revoked",
    "management_key.revoked": "management keys revoked",
    "gateway_token.revoked": "gateway tokens revoked",
    "member.removed": "members removed",
    "member.role_changed": "roles reduced",
    "key.suspended": "API keys suspended",
    "workspace.suspended": "workspaces suspended",
}
_log = logging.getLogger("keydesk.journal")


async def pending() -> list[Taken]:
    """What the journal names as taken away and the database has living. Raises OSError when the file cannot be read."""
    contents = await journal.current().contents()
    living = await key_store.unrevoked()
    found = [Taken("key.revoked", key, living[key], at) for key, (at, _) in contents.keys.items() if key in living]
    return found + [taken for taken in _latest(contents) if await _lives(taken)]


async def replay() -> Counter[str]:
    """Takes away again, each in a change of its own with its audit entry; answers how many of each kind.

    Called before anything listens. Killed in between, the next start does the rest. Raises OSError as `pending` does.
    """
    contents = await journal.current().contents()
    done: Counter[str] = Counter()
    for taken in await pending():
        done[taken.kind] += await _take(taken, contents)
    if done.total():
        _log.warning("taken away again, as the revocation journal says: %s", told(done))
    return done


def told(counts: Counter[str]) -> str:
    """`2 API keys revoked, 1 members removed`; what there is none of is left out."""
    return ", ".join(f"{counts[kind]} {text}" for kind, text in _SAID.items() if counts[kind])


def _latest(contents: Contents) -> list[Taken]:
    """Of each thing what was said of it last."""
    found: dict[tuple[int, str, str], Taken] = {}
    for taken in sorted(contents.taken, key=lambda each: each.at):
        found[_subject(taken.kind), taken.id, taken.chain] = taken
    return list(found.values())


def _subject(kind: str) -> int:
    return next(number for number, kinds in enumerate(_SUBJECTS) if kind in kinds)


async def _lives(taken: Taken) -> bool:
    """Whether the database has as living what this line takes away, without having heard of it."""
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
        case "member.removed":
            living = await workspace_store.find_member(taken.chain, taken.id) is not None
        case "member.role_changed":
            member = await workspace_store.find_member(taken.chain, taken.id)
            role = _role(taken)
            living = member is not None and role is not None and member.role is not role and member.role.includes(role)
        case _:
            return False
    return living and not await audit_store.has_since(taken.chain, taken.id, _SUBJECTS[_subject(taken.kind)], taken.at)


async def _take(taken: Taken, contents: Contents) -> int:
    """1, or 0 where somebody else did it meanwhile."""
    said = {"from": "the journal", "journal_at": clock.rfc3339(taken.at)}
    if taken.kind == "gateway_token.revoked":
        async with workspaces.changing_installation(SYSTEM) as change:
            await gateway_store.revoke(taken.id, taken.at)
            await audit.record(change, taken.kind, taken.id, **said)
        return 1
    async with workspaces.changing(SYSTEM, None, Action.UPDATE_WORKSPACE, workspace_id=taken.chain) as change:
        # Asked again under the lock: what was taken before may have taken this along.
        if taken.kind != "key.revoked" and not await _lives(taken):
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
