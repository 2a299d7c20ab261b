"""Repeats revocations that the revocation journal has and the database lacks.

A database that was restored from a backup lacks later revocations, which had been confirmed to their callers. Whether the
database knows a line is decided by its audit log: an entry about the same target, as late or later, means that the database
has the newer state.
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
from app.calendar import events as calendar_events
from app.calendar import store as calendar_store
from app.gateway_tokens import events as gateway_events
from app.gateway_tokens import store as gateway_store
from app.journal import file as journal
from app.journal.lines import SUBJECTS, AccessChange, Contents, Subject, subject
from app.keys import events as key_events
from app.keys import service as keys
from app.keys import store as key_store
from app.keys.key import Reason
from app.management_keys import events as management_events
from app.management_keys import store as management_store
from app.members import service as members
from app.operator_keys import events as operator_events
from app.operator_keys import store as operator_store
from app.provisioning import deletion
from app.tenancy import service as tenancy
from app.tenancy import store as workspace_store
from app.tenancy.service import SYSTEM_CHAIN, Change
from app.workspaces import events as workspace_events

SYSTEM: Final = Actor.system()
_NEWEST: Final = 100
# Beyond this number, querying all ids costs no more.
_MOST: Final = 1_000
_SAID: Final = {
    "key.revoked": "API keys revoked",
    "management_key.revoked": "management keys revoked",
    "gateway_token.revoked": "gateway tokens revoked",
    "operator_key.revoked": "operator keys revoked",
    "member.removed": "members removed",
    "member.role_changed": "roles reduced",
    "key.suspended": "API keys suspended",
    "workspace.suspended": "workspaces suspended",
    "workspace.deleted": "workspaces deleted",
    "calendar_link.withdrawn": "calendar links withdrawn",
    "calendar_link.made": "calendar links of before a renewal withdrawn",
}
_OF_INSTALLATION: Final = {
    "gateway_token.revoked": (gateway_store, gateway_events.REVOKED),
    "operator_key.revoked": (operator_store, operator_events.REVOKED),
}
_log = logging.getLogger("keydesk.journal")


async def pending(only: Collection[str] | None = None) -> list[AccessChange]:
    """Revocations that the journal has and the database lacks: `only` these ids, or all. Raises OSError when the file cannot
    be read."""
    return [lines[-1] for lines in await _pending(await journal.current().contents(), only)]


async def replay(only: Collection[str] | None = None) -> Counter[str]:
    """Repeats pending revocations, each in a separate change with its audit entry; returns how many of each kind.

    Called before the server listens. After a crash in between, the next start does the rest. Raises OSError as `pending` does.
    """
    contents = await journal.current().contents()
    done: Counter[str] = Counter()
    for lines in await _pending(contents, only):
        done[lines[-1].kind] += await _revoke_again(lines, contents)
    if done.total():
        _log.warning("taken away again, as the revocation journal says: %s", describe(done))
    return done


async def keep_up() -> None:
    """`replay` in a running node, because its database may be restored meanwhile.

    Checks new lines of the journal, and the newest lines again. A restored database lacks the newest first; then, and after
    a change of server, all lines are checked.
    """
    book = journal.current()
    # `catch_up` logs a file that cannot be read, and /readyz reports it.
    with contextlib.suppress(OSError):
        contents, server = await book.contents(), await database.server()
        recent = {*list(contents.fresh), *_newest(contents)}
        unknown = frozenset(recent - await audit_store.known(recent)) if len(recent) <= _MOST else None
        is_known = book.checked is not None and server == book.checked[0] and unknown is not None and unknown <= book.checked[1]
        if not is_known or (await replay(recent)).total():
            await replay()
        book.checked = server, unknown or frozenset()
        for each in recent:
            contents.fresh.pop(each, None)


async def is_elsewhere() -> bool:
    """Whether another server answers than the one for which all lines were checked. Raises Unavailable."""
    checked = journal.current().checked
    return checked is not None and await database.server() != checked[0]


def describe(counts: Counter[str]) -> str:
    """`2 API keys revoked, 1 members removed`; kinds with a count of 0 are left out."""
    return ", ".join(f"{counts[kind]} {text}" for kind, text in _SAID.items() if counts[kind])


def _newest(contents: Contents) -> Iterator[str]:
    """The ids of the last lines of both kinds."""
    yield from list(contents.keys)[-_NEWEST:]
    yield from (change.id for change in list(contents.access_changes)[-_NEWEST:])


async def _pending(contents: Contents, only: Collection[str] | None) -> list[Sequence[AccessChange]]:
    """The lines about each pending subject; the last one is the revocation."""
    named = dict(contents.keys) if only is None else {key: contents.keys[key] for key in only if key in contents.keys}
    living = await key_store.unrevoked(None if only is None else named)
    found: list[Sequence[AccessChange]] = [
        [AccessChange("key.revoked", key, living[key], at)] for key, (at, _) in named.items() if key in living
    ]
    return found + [
        lines for lines in _by_subject(contents) if (only is None or lines[-1].id in only) and await _lacks_revocation(lines)
    ]


def _by_subject(contents: Contents) -> list[list[AccessChange]]:
    """The lines about each subject in file order, because a wrong clock must not reorder them."""
    found: dict[Subject, list[AccessChange]] = {}
    for change in list(contents.access_changes):
        found.setdefault(subject(change), []).append(change)
    return list(found.values())


async def _lacks_revocation(lines: Sequence[AccessChange]) -> bool:
    """Whether the database lacks the revocation in the last of these lines: what it revokes is alive, and the audit log has no
    entry about it that is as late or later, except for the earlier lines."""
    last = lines[-1]
    match last.kind:
        case "management_key.revoked":
            key = await management_store.find(last.chain, last.id)
            return key is not None and key.revoked_at is None
        case "gateway_token.revoked":
            return any(token.revoked_at is None for token in await gateway_store.find(last.id) if token.id == last.id)
        case "operator_key.revoked":
            operator_key = await operator_store.find(last.id)
            return operator_key is not None and operator_key.revoked_at is None
        case "key.suspended":
            api_key = await key_store.find(last.chain, last.id)
            living = api_key is not None and api_key.revocation is None and api_key.suspended_at is None
        case "workspace.suspended":
            workspace = await workspace_store.find(last.id)
            living = workspace is not None and workspace.suspended_at is None and workspace.deleted_at is None
        case "workspace.deleted":
            workspace = await workspace_store.find(last.id)
            return workspace is not None and workspace.deleted_at is None
        case "calendar_link.withdrawn" | "calendar_link.made":
            living = await calendar_store.exists(last.id)
        case "member.removed":
            living = await workspace_store.find_member(last.chain, last.id) is not None
        case "member.role_changed":
            member = await workspace_store.find_member(last.chain, last.id)
            role = _role(last)
            living = member is not None and role is not None and member.role is not role and member.role.includes(role)
        case _:
            return False
    if not living:
        return False
    later = await audit_store.entries_about(last.chain, last.id, SUBJECTS[subject(last)[0]], last.at)
    return {audit.access_change_of(entry) for entry in later} <= {*lines[:-1]}


async def _revoke_again(lines: Sequence[AccessChange], contents: Contents) -> int:
    """1, or 0 if another process did it meanwhile."""
    last = lines[-1]
    detail = {"from": "the journal", "journal_at": clock.rfc3339(last.at)}
    if last.chain == SYSTEM_CHAIN:
        async with tenancy.changing_installation(SYSTEM) as change:
            await _revoke_in_installation(change, last, detail)
        return 1
    async with tenancy.changing(SYSTEM, None, Action.UPDATE_WORKSPACE, workspace_id=last.chain) as change:
        # Checked again under the lock: an earlier revocation may have included this one.
        if last.kind != "key.revoked" and not await _lacks_revocation(lines):
            return 0
        return int(await _revoke_in(change, last, contents, detail))


async def _revoke_in_installation(change: Change, last: AccessChange, detail: dict[str, str]) -> None:
    store, event = _OF_INSTALLATION[last.kind]
    await store.revoke(last.id, last.at)
    await audit.record(change, event, last.id, **detail)


async def _revoke_in(change: Change, last: AccessChange, contents: Contents, detail: dict[str, str]) -> bool:
    match last.kind:
        case "key.revoked":
            key = await key_store.find(last.chain, last.id)
            if key is None or key.revocation is not None:
                return False
            await keys.revoke_in(change, key, _reason(contents.keys[last.id][1]), None, at=last.at, **detail)
            return True
        case "member.removed" | "member.role_changed":
            member, role = await workspace_store.find_member(last.chain, last.id), _role(last)
            if member is None:
                return False
            if last.kind == "member.removed":
                await members.remove_in(change, member, **detail)
            elif role is not None:
                await members.set_role_in(change, member, role, **detail)
            return True
        case "calendar_link.withdrawn" | "calendar_link.made":
            await calendar_store.drop(last.id)
            await audit.record(change, calendar_events.LINK_WITHDRAWN, last.id, **detail)
            return True
        case "management_key.revoked":
            await management_store.revoke(last.id, last.at)
            await audit.record(change, management_events.REVOKED, last.id, **detail)
        case "key.suspended":
            await key_store.update(last.id, {"suspended_at": last.at})
            await audit.record(change, key_events.SUSPENDED, last.id, **detail)
        case "workspace.deleted":
            await deletion.delete_in(change, **detail)
        case "workspace.suspended":
            await workspace_store.update(last.id, {"suspended_at": last.at})
            await audit.record(change, workspace_events.SUSPENDED, last.id, **detail)
    return True


def _role(last: AccessChange) -> Role | None:
    return Role(last.role) if last.role in {str(role) for role in Role} else None


def _reason(text: str) -> Reason:
    return Reason(text) if text in {str(reason) for reason in Reason} else Reason.OTHER
