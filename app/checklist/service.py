"""Use cases of the checklist: reading it, confirming an item, removing unused permissions, and noting visits."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Sequence
from typing import Final

from app import catalogue, database
from app.access.actor import Actor, ActorKind
from app.access.policy import Action
from app.audit import service as audit
from app.checklist import events, store, validation
from app.checklist.evaluation import evaluate
from app.checklist.item import (
    ATTESTED_DAYS,
    JUDGED_AFTER_DAYS,
    MISPLACED_DAYS,
    TITLES,
    USE_DAYS,
    Attestation,
    Checklist,
    Facts,
    ItemName,
    PermissionUse,
)
from app.clock import DAY
from app.errors import Conflict, FieldProblem, Unavailable, ValidationFailed
from app.keys import living_store
from app.keys import service as keys
from app.keys.key import ApiKey
from app.rotations import store as rotation_store
from app.rotations.rotation import Rotation
from app.tenancy import service as tenancy
from app.tenancy.service import Access
from app.usage import log as usage_log
from app.usage import service as usage
from app.usage import store as usage_store

# A visit is stored at most once a day for each member, so that reading pages rarely writes.
VISIT_STORED_EVERY: Final = DAY


async def of_workspace(access: Access, open_rotations: Sequence[Rotation] | None = None) -> Checklist:
    """The checklist of the workspace, in a constant number of statements. `open_rotations`: those of the
    workspace, if they were read already."""
    access.require(Action.READ_CHECKLIST)
    workspace_id, now = access.workspace.id, access.now
    living = await living_store.living(workspace_id, now)
    if open_rotations is None:
        open_rotations = await rotation_store.open_rotations(workspace_id, now)
    held = sorted({name for key in living for name in key.permissions})
    facts = Facts(
        keys=tuple(living),
        unused=await usage_store.unused_permissions(
            workspace_id, held, since=_use_since(now), created_until=now - JUDGED_AFTER_DAYS * DAY, now=now
        ),
        misplaced=frozenset(await usage_store.keys_refused_elsewhere(workspace_id, since=now - MISPLACED_DAYS * DAY)),
        rotations=tuple(open_rotations),
        visits=tuple(await store.visits(workspace_id)),
        leaks=tuple(await living_store.leaked_since(workspace_id, now - max(ATTESTED_DAYS.values()) * DAY)),
        attestations=await store.attestations(workspace_id),
    )
    return evaluate(facts, catalogue.current(), now)


async def attest(actor: Actor, slug: str | None, item: ItemName, *, runbook_url: str | None = None) -> Checklist:
    """Confirms, in the actor's name, that an item is met; repeated, it renews the confirmation. Returns the new checklist.

    Raises ValidationFailed for an item that the data shows, and for a missing or invalid link.
    """
    async with tenancy.changing(actor, slug, Action.ATTEST_CHECKLIST_ITEM) as change:
        validation.check_item(item)
        url = validation.runbook_url(item, runbook_url)
        await store.put_attestation(change.workspace.id, Attestation(item, change.now, actor.ref, url))
        detail = {} if url is None else {"runbook_url": url}
        await audit.record(change, events.ATTESTED, change.workspace.id, item=str(item), title=TITLES[item], **detail)
        access = change.access
    return await of_workspace(access)


async def use_of(access: Access, key: ApiKey) -> PermissionUse:
    """How often each permission of a key was asked for in the last USE_DAYS."""
    found = await usage.of_key(access, key, _use_since(access.now))
    asked = {name: counts.total for name, counts in found.by_permission}
    return PermissionUse(key, tuple((name, asked.get(name, 0)) for name in key.permissions))


async def trim(
    actor: Actor, key_id: str, removed: Collection[str], *, slug: str | None = None, expected: str | None = None
) -> ApiKey:
    """Removes permissions from a key that no request asked for in the last USE_DAYS. Those that it does not hold are ignored.

    Raises ValidationFailed for none, for one that was used and for all of them; Stale as `keys.update` does; Conflict for a key
    that has ended, or that is too new to be judged by its use.
    """
    async with keys.changing(actor, key_id, Action.UPDATE_API_KEY, slug) as (change, key):
        _require_judged(key, change.now)
        # Nothing is appended to the log until the change ends, so no request that uses one of them is missed.
        await usage_log.lock_use(key.id)
        _check_removed(key, removed, await usage_store.permissions_asked(key.id, _use_since(change.now)))
        kept = tuple(name for name in key.permissions if name not in set(removed))
        return await keys.edit_in(change, key, {"permissions": kept}, expected)


async def note_visit(access: Access) -> None:
    """Notes that a user opened a page that shows usage. If the database is too busy, this is skipped."""
    user_id, workspace_id, now = access.actor.user_id, access.workspace.id, access.now
    if access.actor.kind is not ActorKind.USER or user_id is None:
        return
    if await store.visited_since(workspace_id, user_id, now - VISIT_STORED_EVERY):
        return
    with contextlib.suppress(Unavailable):
        async with database.transaction():
            await store.put_visit(workspace_id, user_id, now)


def _check_removed(key: ApiKey, removed: Collection[str], asked: Collection[str]) -> None:
    if not removed:
        raise ValidationFailed(FieldProblem("permissions", "REQUIRED", "Choose at least one permission to remove."))
    held = set(key.permissions)
    if used := sorted(set(removed) & set(asked) & held):
        message = f"{', '.join(used)} was used in the last {USE_DAYS} days. Nothing was removed."
        raise ValidationFailed(FieldProblem("permissions", "INVALID", message))
    if held <= set(removed):
        message = "A key without any permission is of no use. If nothing uses it, revoke it."
        raise ValidationFailed(FieldProblem("permissions", "INVALID", message))


def _require_judged(key: ApiKey, now: int) -> None:
    """Raises Conflict for a key whose use says nothing yet, or no longer matters."""
    if key.is_over(now):
        raise Conflict(f"This key is {key.status(now).lower()}, which is final.")
    if now < key.created_at + JUDGED_AFTER_DAYS * DAY:
        message = (
            f"This key is not {JUDGED_AFTER_DAYS} days old yet: what it has not used so far, it may use soon. Edit it instead."
        )
        raise Conflict(message)


def _use_since(now: int) -> int:
    """Whole days, because use is counted by days."""
    return now - now % DAY - USE_DAYS * DAY
