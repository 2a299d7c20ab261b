"""Writing the audit log inside a change, reading it, and exporting it. `checking` verifies its chains."""

from __future__ import annotations

import hmac
from collections.abc import AsyncIterator, Collection
from dataclasses import replace
from typing import Any, Final

from app import ids
from app.access.actor import Actor, ActorRef, Request
from app.access.policy import Action
from app.audit import store
from app.audit.checking import Fault as Fault
from app.audit.checking import checked as checked
from app.audit.checking import find_fault as find_fault
from app.audit.checking import first_broken as first_broken
from app.audit.entry import AUDIT_ENTRY_ID, LONGEST_SEARCH, Entry, EntryFilter, new_key
from app.audit.export import CsvWriter, JsonLinesWriter, Writer, heading
from app.downloads import Format
from app.errors import FieldProblem, NotFound, ValidationFailed
from app.journal.lines import ACCESS_EVENTS, AccessChange, line_of
from app.names import plain_name
from app.noun import Event
from app.pace import in_slices
from app.paging import Page, Window
from app.peppers import service as peppers
from app.tenancy import service as tenancy
from app.tenancy.publication import publish
from app.tenancy.service import SYSTEM_CHAIN, Access, Change
from app.tenancy.store import Head

# So many entries of an export are read in about a millisecond.
_PIECE: Final = 50
_LONGEST_USER_AGENT: Final = 400


def wrapped_key(chain: str) -> bytes:
    """A fresh key for a new chain, wrapped for storage."""
    return peppers.current().wrap(new_key(), chain)


async def record(change: Change, event: Event, target: str, **detail: Any) -> None:
    """Appends one entry to the change's chain, in the change's transaction: both are committed or neither. So is what webhooks
    are sent of it."""
    head = change.known.get(Head) or await store.head(change.chain)
    entry = Entry(
        ids.new(AUDIT_ENTRY_ID),
        change.chain,
        head.length + 1,
        change.now,
        change.actor.ref,
        event.name,
        target,
        detail,
        _shortened(change.actor.request),
    )
    mac = entry.expected_mac(head.mac, peppers.current().unwrap(head.wrapped_key, change.chain))
    await store.add(replace(entry, mac=mac))
    await store.move_head(change.chain, entry.position, mac)
    change.known[Head] = Head(entry.position, mac, head.wrapped_key)
    await publish(change, event, target, **detail)
    if event.name in ACCESS_EVENTS:
        change.journal.append(line_of(access_change_of(entry)))


async def derived_key(of: Change | Access, purpose: str) -> bytes:
    """32 secret bytes of a workspace for another purpose than its chain. They stay the same when the pepper is changed."""
    chain = of.workspace.id
    head = (of.known.get(Head) if isinstance(of, Change) else None) or await store.head(chain)
    if isinstance(of, Change):
        of.known[Head] = head
    return _derived(head, chain, purpose)


async def derived_key_of(chain: str, purpose: str) -> bytes:
    """Like `derived_key`, for what the system does: with a workspace's chain or its own."""
    return _derived(await store.head(chain), chain, purpose)


def access_change_of(entry: Entry) -> AccessChange:
    """An entry in the form the revocation journal uses."""
    role = entry.detail.get("after") if entry.action == "member.role_changed" else None
    return AccessChange(entry.action, entry.target, entry.chain, entry.at, role)


async def times(change: Change, event: Event, target: str) -> int:
    """How often this action was done to this target before; for rules that limit it."""
    return await store.times(change.chain, event.name, target)


async def last_changes(access: Access, targets: Collection[str]) -> dict[str, int]:
    """When these things of the workspace, or itself, were last changed; never-changed ones are left out. It does not show what
    changed, so membership is enough."""
    return await store.last_at(access.workspace.id, targets) if targets else {}


async def about(access: Access, target: str, *, limit: int = 50) -> list[Entry]:
    """The newest entries about one thing of a workspace."""
    access.require(Action.READ_AUDIT)
    return await store.newest(access.workspace.id, limit=limit, target=target)


async def page(access: Access, *, limit: int, before: int | None = None) -> list[Entry]:
    """The newest entries of a workspace before a position."""
    access.require(Action.READ_AUDIT)
    return await store.newest(access.workspace.id, limit=limit, before=before)


async def between(
    access: Access, window: Window, filter: EntryFilter = EntryFilter(), *, oldest_first: bool = False
) -> Page[Entry]:
    """A page of a workspace's entries that match the filter, newest or oldest first."""
    access.require(Action.READ_AUDIT)
    return await store.page(access.workspace.id, _checked(filter), window, oldest_first=oldest_first)


async def get(actor: Actor, entry_id: str) -> Entry:
    """Raises NotFound, also for an entry of the system or of a workspace the actor does not belong to; NotAllowed."""
    entry = await store.find(entry_id)
    if entry is None or entry.chain == SYSTEM_CHAIN:
        raise NotFound("audit event")
    await tenancy.reading(actor, None, Action.READ_AUDIT, workspace_id=entry.chain)
    return entry


async def actors(access: Access) -> list[ActorRef]:
    """Everyone who has changed something in a workspace, by name."""
    access.require(Action.READ_AUDIT)
    return sorted(await store.actors(access.workspace.id), key=lambda actor: (actor.name.casefold(), actor.id))


async def actions(access: Access) -> list[str]:
    """What has been done in a workspace, each action once."""
    access.require(Action.READ_AUDIT)
    return sorted(await store.actions(access.workspace.id))


def export(access: Access, form: Format, filter: EntryFilter = EntryFilter()) -> AsyncIterator[str]:
    """The text of a file with all entries that match and exist now, oldest first, in pieces, with rests for other work.

    Raises, before the first piece: NotAllowed, ConfirmationNeeded, ValidationFailed.
    """
    access.require_recent(Action.EXPORT_AUDIT)
    return _pieces(access, form, _checked(filter))


async def count(access: Access, filter: EntryFilter = EntryFilter()) -> int:
    """How many entries of a workspace match the filter."""
    access.require(Action.READ_AUDIT)
    return await store.count(access.workspace.id, _checked(filter))


async def rewrap_keys() -> None:
    """Wraps every chain's key with the current pepper; called at start, inside a transaction."""
    known = peppers.current()
    for chain in await store.chains():
        wrapped = (await store.head(chain)).wrapped_key
        if not known.is_current(wrapped):
            await store.set_key(chain, known.wrap(known.unwrap(wrapped, chain), chain))


async def _pieces(access: Access, form: Format, filter: EntryFilter) -> AsyncIterator[str]:
    workspace = access.workspace
    head = await store.head(workspace.id)
    writer = _writer(form, access, filter, head)
    yield writer.begin()
    after = 0
    while found := await store.linked(workspace.id, filter, after=after, until=head.length, limit=_PIECE):
        yield "".join([writer.line(each) async for each in in_slices(found)])
        after = found[-1].entry.position
    yield writer.end()


def _derived(head: Head, chain: str, purpose: str) -> bytes:
    return hmac.digest(peppers.current().unwrap(head.wrapped_key, chain), b"keydesk purpose\x00" + purpose.encode(), "sha256")


def _checked(filter: EntryFilter) -> EntryFilter:
    if len(filter.search) > LONGEST_SEARCH:
        raise ValidationFailed(FieldProblem("search", "TOO_LONG", f"Search for at most {LONGEST_SEARCH} characters."))
    return replace(filter, search=plain_name(filter.search))


def _writer(form: Format, access: Access, filter: EntryFilter, head: Head) -> Writer:
    if form is Format.CSV:
        return CsvWriter()
    workspace = access.workspace
    about = heading(workspace.id, workspace.slug, access.now, filter, head.length, head.mac, head.wrapped_key)
    return JsonLinesWriter(peppers.current().unwrap(head.wrapped_key, workspace.id), about)


def _shortened(request: Request) -> Request:
    return Request(request.address, request.user_agent[:_LONGEST_USER_AGENT], request.request_id)
