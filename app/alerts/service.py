"""Use cases of alerts: the job that raises those about dates, reading, and what people do about them.

`evaluation` raises the alerts about use.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from app import ids
from app.access.actor import Actor
from app.access.policy import Action
from app.alerts import alert_store, events, incident_store, lifecycle, store
from app.alerts.alert import ALERT_ID, DATED, Alert, Kind, Resolution, State
from app.alerts.alert_store import AlertFilter
from app.alerts.situation import ALWAYS
from app.audit import service as audit
from app.errors import FieldProblem, NotFound, Unavailable, ValidationFailed
from app.keys import service as keys
from app.keys.key import ApiKey
from app.live import Subject
from app.paging import Page, Position, Window
from app.tenancy import service as tenancy
from app.tenancy.service import Access, Change

__all__ = ["AlertFilter"]

MOST_SHOWN: Final = 200
WHAT: Final = "alert"
# At most this many are raised in one transaction, and mailed together, so that the lock of a workspace is not held long.
_PIECE: Final = 100
_OPEN: Final = AlertFilter(states=(State.OPEN,))
_log = logging.getLogger("keydesk.notices")


async def run(now: int) -> list[Alert]:
    """Raises all alerts about dates that are due and were not raised before, and resolves those that require no action any more;
    returns the new ones.

    For the job. Concurrent runs, or one after a crash, raise no alert twice: an alert is decided and recorded in one transaction
    under the lock of its workspace, and so is the mail about it, which the outbox sends.
    """
    await lifecycle.over(now)
    alerts: list[Alert] = []
    for workspace_id in await store.workspaces_with_due_alerts(now):
        try:
            alerts += await _raise_due(workspace_id, now)
        except Unavailable as failure:
            _log.warning("notices are put off: %s", failure.internal)
        except Exception:
            # A failure in one workspace does not affect the alerts of others.
            _log.exception("the notices of %s could not be given", workspace_id)
    return alerts


async def open_alerts(access: Access) -> list[Alert]:
    """Alerts that still require action, newest first, at most MOST_SHOWN."""
    return await newest(access, MOST_SHOWN, _OPEN)


async def of_key(access: Access, key: ApiKey, limit: int) -> list[Alert]:
    """Alerts about a key that still require action, and the one that began its present suspension, newest first, in one
    statement."""
    access.require(Action.READ_KEYS, key)
    return await alert_store.of_key(key, access.now, limit)


async def past_alerts(access: Access, limit: int) -> list[Alert]:
    """Alerts that require no action any more, newest first."""
    return await newest(access, limit, AlertFilter(states=(State.RESOLVED,)))


async def newest(access: Access, limit: int, filter: AlertFilter = AlertFilter()) -> list[Alert]:
    """Alerts that match the filter, newest first."""
    access.require(Action.READ_KEYS)
    return await alert_store.newest(access.workspace.id, access.now, limit, filter)


async def page(access: Access, window: Window, filter: AlertFilter = AlertFilter()) -> Page[Alert]:
    """A page of a workspace's alerts, newest first; a position is `at` and the id."""
    access.require(Action.READ_KEYS)
    return await alert_store.page(access.workspace.id, access.now, filter, window)


async def count(access: Access, filter: AlertFilter = AlertFilter()) -> int:
    access.require(Action.READ_KEYS)
    return await alert_store.count(access.workspace.id, access.now, filter)


async def count_open(access: Access) -> int:
    """How many alerts still require action."""
    return await count(access, _OPEN)


async def version_mark(access: Access) -> object:
    """A cheap value that changes with every alert of the workspace."""
    return await alert_store.mark(access.workspace.id)


async def newest_position(access: Access) -> Position:
    """That of the newest alert, as in `page`; before all of them if there is none."""
    access.require(Action.READ_KEYS)
    return await alert_store.newest_position(access.workspace.id)


async def first_after(access: Access, position: Position) -> Alert | None:
    """The first alert that was raised after this position."""
    found = await page(access, Window(1, before=position, backwards=True))
    return found.items[0] if found.items else None


def watched(access: Access) -> Subject[Position]:
    """The alerts of a workspace, for streams; its snapshots are `newest_position`. Raises NotAllowed."""
    access.require(Action.READ_KEYS)

    async def newest(_: Position) -> Position:
        return await alert_store.newest_position(access.workspace.id)

    return Subject(f"alerts {access.workspace.id}", access.workspace.id, newest, newest, lambda position: position)


async def get(actor: Actor, alert_id: str) -> Alert:
    """Raises NotFound, also for an alert of another workspace; NotAllowed."""
    access = await _access(actor, await _workspace_of(alert_id))
    return _found(await alert_store.find(alert_id, access.now))


async def resolve(actor: Actor, alert_id: str, resolution: Resolution, *, always: bool = False, slug: str | None = None) -> Alert:
    """Resolves an alert. EXPECTED teaches the rule what it has found; `always`: that it never speaks about this key again.

    Idempotent: repeated, the first resolution stays. Raises NotFound, NotAllowed, ValidationFailed.
    """
    workspace_id = await _workspace_of(alert_id)
    try:
        async with tenancy.changing(actor, None, Action.RESOLVE_ALERT, workspace_id=workspace_id) as change:
            if slug not in (None, change.workspace.slug):
                raise NotFound(WHAT)
            alert = _found(await alert_store.find(alert_id, change.now))
            if resolution is Resolution.OVER:
                raise ValidationFailed(FieldProblem("resolution", "INVALID", "Choose EXPECTED or HANDLED."))
            return await _resolve(change, alert, resolution, always=always) if alert.is_open else alert
    except NotFound:
        raise NotFound(WHAT) from None


async def of_keys(access: Access, keys: Sequence[ApiKey]) -> dict[str, list[Alert]]:
    """The alerts of keys of the workspace, newest first, at most MOST_SHOWN of each, in one statement."""
    access.require(Action.READ_KEYS, *keys)
    return await alert_store.of_keys(keys, access.now, MOST_SHOWN)


async def expectations(access: Access, key: ApiKey) -> dict[Kind, frozenset[str]]:
    """What was marked as expected for a key."""
    return (await expectations_of_keys(access, [key])).get(key.id, {})


async def expectations_of_keys(access: Access, keys: Sequence[ApiKey]) -> dict[str, dict[Kind, frozenset[str]]]:
    """What was marked as expected, for the keys that have any of it; in one statement."""
    access.require(Action.READ_KEYS, *keys)
    return await incident_store.expectations_of(access.workspace.id, [key.id for key in keys])


async def set_expected(actor: Actor, key_id: str, kind: Kind, *, expected: bool, slug: str | None = None) -> ApiKey:
    """Tells a rule never to speak about a key, or to speak again and to forget all it was taught about the key. For a key that
    works round the clock: OUTSIDE_BUSINESS_HOURS. Idempotent. Raises NotFound, NotAllowed, ValidationFailed."""
    async with keys.changing(actor, key_id, Action.RESOLVE_ALERT, slug) as (change, key):
        if kind in DATED:
            raise ValidationFailed(FieldProblem("kind", "INVALID", "Alerts about dates cannot be expected."))
        known = (await incident_store.expectations_of(key.workspace_id, [key.id])).get(key.id, {}).get(kind, frozenset())
        if expected and ALWAYS not in known:
            await incident_store.expect(key.workspace_id, key.id, kind, [ALWAYS], change.now)
            await audit.record(change, events.TAUGHT, key.id, name=key.name, kind=str(kind), value=ALWAYS)
        if not expected and known:
            for value in sorted(known):
                await incident_store.unexpect(key.workspace_id, key.id, kind, value)
            await audit.record(change, events.FORGOTTEN, key.id, name=key.name, kind=str(kind), value=", ".join(sorted(known)))
        return key


async def _resolve(change: Change, alert: Alert, resolution: Resolution, *, always: bool) -> Alert:
    await lifecycle.resolve(change, alert, resolution)
    if resolution is Resolution.EXPECTED and not alert.is_dated:
        values = (ALWAYS,) if always else await incident_store.subjects(alert.id)
        # A network is a place, such as an office: it is expected for all keys of the workspace.
        key_id = "" if alert.kind is Kind.UNEXPECTED_NETWORK and not always else alert.key.id
        await incident_store.expect(change.workspace.id, key_id, alert.kind, values, change.now)
    return replace(alert, is_open=False, resolved_at=change.now, resolution=resolution, resolved_by=change.actor.ref)


async def _raise_due(workspace_id: str, now: int) -> list[Alert]:
    raised: list[Alert] = []
    while True:
        # Nothing of the workspace changes, so there is no audit entry: the alert is its own record.
        async with tenancy.changing(Actor.system(), None, Action.READ_KEYS, workspace_id=workspace_id) as change:
            found = await store.due(workspace_id, now, _PIECE)
            new = [each for each in found if await lifecycle.raise_dated(change, each)]
            alerts = await alert_store.find_raised(new, now)
            await lifecycle.announce(change, alerts, now)
        raised += alerts
        if len(found) < _PIECE:
            return raised


async def _workspace_of(alert_id: str) -> str:
    workspace_id = await alert_store.workspace_of(alert_id) if ids.is_a(ALERT_ID, alert_id) else None
    if workspace_id is None:
        raise NotFound(WHAT)
    return workspace_id


async def _access(actor: Actor, workspace_id: str) -> Access:
    try:
        return await tenancy.reading(actor, None, Action.READ_KEYS, workspace_id=workspace_id)
    except NotFound:
        raise NotFound(WHAT) from None


def _found(alert: Alert | None) -> Alert:
    if alert is None:
        raise NotFound(WHAT)
    return alert
