"""Use cases of automatic suspension: its setting, its preview, and suspending the keys of alerts that are being raised."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from app import mail
from app.access.actor import Actor, Role
from app.access.policy import Action
from app.alerts import alert_store, emails, events
from app.alerts import suspension as noun
from app.alerts import suspension_store as store
from app.alerts.alert import Kind, Withheld
from app.alerts.incident_store import Stored
from app.alerts.rules import RULES
from app.alerts.situation import Finding
from app.alerts.suspension import PREVIEWED_DAYS, SUSPENDING, WITHIN, AutomaticSuspension, Preview
from app.audit import service as audit
from app.audit import store as audit_store
from app.clock import DAY
from app.errors import FieldProblem, ValidationFailed
from app.keys import events as key_events
from app.keys import service as keys
from app.keys import store as key_store
from app.keys.key import ApiKey
from app.outbox import mails
from app.rotations import store as rotation_store
from app.tenancy import service as tenancy
from app.tenancy import store as workspace_store
from app.tenancy.service import Access, Change
from app.versions import require_same

MOST_PREVIEWED: Final = 200


@dataclass(frozen=True, slots=True)
class Raised:
    """An alert about use that this change has raised. `latest`: the alert of its key and kind before, which is resolved."""

    alert_id: str
    key_id: str
    finding: Finding
    latest: Stored | None


async def find(access: Access) -> AutomaticSuspension:
    """The setting of the workspace."""
    access.require(Action.READ_WORKSPACE)
    return await store.find(access.workspace.id)


async def count_lately(access: Access) -> int:
    """How many of the workspace's keys were suspended automatically within the last 24 hours."""
    access.require(Action.READ_WORKSPACE)
    return await store.count_since(access.workspace.id, access.now - WITHIN)


async def preview(access: Access, kind: Kind, most_a_day: int | None = None) -> Preview:
    """What a rule would have suspended in the last PREVIEWED_DAYS, by the MOST_PREVIEWED newest of its alerts, with this limit or
    the workspace's. Raises ValidationFailed."""
    access.require(Action.READ_KEYS)
    if kind not in SUSPENDING:
        raise ValidationFailed(FieldProblem("kind", "INVALID", f"{RULES[kind].title} cannot suspend a key."))
    if most_a_day is None:
        most_a_day = (await store.find(access.workspace.id)).most_a_day
    AutomaticSuspension((kind,), most_a_day).checked()
    since = access.now - PREVIEWED_DAYS * DAY
    found = await alert_store.of_kind(access.workspace.id, kind, since, access.now, MOST_PREVIEWED)
    return noun.preview(kind, found, most_a_day)


async def update(
    actor: Actor,
    slug: str | None,
    *,
    kinds: Sequence[Kind] | None = None,
    most_a_day: int | None = None,
    expected: str | None = None,
) -> tuple[Access, AutomaticSuspension]:
    """Sets which rules suspend keys, and how many at most within 24 hours; None leaves it. It holds for alerts that are raised
    from then on. Repeated, it changes nothing.

    Raises ValidationFailed, or Stale if the setting is no longer the version that was seen.
    """
    async with tenancy.changing(actor, slug, Action.SET_AUTOMATIC_SUSPENSION) as change:
        old = await store.find(change.workspace.id)
        new = AutomaticSuspension(
            old.kinds if kinds is None else tuple(kinds), old.most_a_day if most_a_day is None else most_a_day
        ).checked()
        # A repeated request finds nothing left to change.
        if new != old:
            require_same(expected, old.version)
            await store.put(change.workspace.id, new)
            before, after = _settings(old), _settings(new)
            changed = {name: {"before": before[name], "after": after[name]} for name in after if before[name] != after[name]}
            await audit.record(change, events.AUTOMATIC_SUSPENSION_CHANGED, change.workspace.id, **changed)
        return change.access, new


async def act(change: Change, raised: Iterable[Raised]) -> None:
    """Suspends the keys of these alerts as the workspace has set it, in the change that raises them. Its lock is held, so no other
    node suspends a key beyond the limit meanwhile."""
    setting = await store.find(change.workspace.id)
    for each in raised:
        if each.finding.kind in setting.kinds:
            await _act(change, each, setting)


async def _act(change: Change, raised: Raised, setting: AutomaticSuspension) -> None:
    key = await key_store.find(change.workspace.id, raised.key_id)
    if key is None or key.is_over(change.now) or key.suspended_at is not None:
        return
    why = noun.withheld(
        resumed=noun.is_known(raised.finding, raised.latest, await _resumes(change, key)),
        other_suspended=await _is_other_suspended(change, key),
        recently=await store.count_since(change.workspace.id, change.now - WITHIN),
        most_a_day=setting.most_a_day,
    )
    if why is None:
        kind = raised.finding.kind
        note = f"By the alert {RULES[kind].title}"
        await keys.suspend_in(change, key, alert=raised.alert_id, kind=str(kind), note=note)
        await store.set_suspended(raised.alert_id, change.now)
        return
    if why is Withheld.DAILY_LIMIT and not await store.was_limited_since(change.workspace.id, change.now - WITHIN):
        await _notify_owners(change, key, raised.finding.kind, setting)
    await store.set_withheld(raised.alert_id, why)


async def _resumes(change: Change, key: ApiKey) -> list[int]:
    """When a person resumed the key, the earliest first."""
    return [entry.at for entry in await audit_store.entries_about(change.chain, key.id, (key_events.RESUMED.name,), 0)]


async def _is_other_suspended(change: Change, key: ApiKey) -> bool:
    """Whether, of an open rotation of this key, the other key is suspended: suspending both would cut off every caller."""
    pairs = [{rotation.predecessor_id, rotation.successor_id} for rotation in await rotation_store.unended(key.id)]
    others = await key_store.find_many(change.workspace.id, sorted(set().union(*pairs) - {key.id}))
    return any(other.suspended_at is not None and not other.is_over(change.now) for other in others)


async def _notify_owners(change: Change, key: ApiKey, kind: Kind, setting: AutomaticSuspension) -> None:
    """Once in 24 hours, whatever e-mails the owners have chosen: from now on the rules that they rely on suspend nothing."""
    content = emails.limit_reached(change.workspace, key, kind, setting.most_a_day, mail.current().link)
    for member in await workspace_store.members(change.workspace.id):
        if member.role is Role.OWNER:
            await mails.send(member.user.email, content, change.now)


def _settings(setting: AutomaticSuspension) -> dict[str, Any]:
    return {"rules": [*setting.kinds], "daily_limit": setting.most_a_day}
