"""Use cases of alert mail: a member reads and chooses which alerts they get by e-mail, and when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from app.access.actor import Actor
from app.access.policy import Action
from app.alerts import events
from app.alerts import mail_store as store
from app.alerts.alert import Kind
from app.alerts.alert_mail import AlertMail, Delivery
from app.audit import service as audit
from app.errors import FieldProblem, NotFound, ValidationFailed
from app.tenancy import service as tenancy
from app.tenancy import store as workspace_store
from app.tenancy.service import Access
from app.tenancy.workspace import Member
from app.versions import require_same


async def find(access: Access) -> AlertMail:
    """What the actor gets by e-mail from this workspace. Raises NotFound for an actor who is not a member."""
    access.require(Action.CHOOSE_ALERT_MAIL)
    return (await _own(access))[1]


async def update(
    actor: Actor,
    slug: str | None,
    *,
    deliveries: Mapping[Kind, Delivery] | None = None,
    hour: int | None = None,
    expected: str | None = None,
) -> tuple[Access, AlertMail]:
    """Chooses how the actor gets these kinds of alerts, and the hour of their digest; what is left out stays. What waits for the
    digest moves to the new hour, without the kinds that are no longer wanted.

    Raises ValidationFailed, or Stale if the choice is no longer the version that was seen. Repeated, it changes nothing.
    """
    if hour is not None and not 0 <= hour <= 23:
        raise ValidationFailed(FieldProblem("dailyHour", "OUT_OF_RANGE", "Choose an hour of the day, 0 to 23."))
    async with tenancy.changing(actor, slug, Action.CHOOSE_ALERT_MAIL) as change:
        member, old = await _own(change.access)
        new = replace(old, chosen={**old.chosen, **(deliveries or {})}, hour=old.hour if hour is None else hour)
        if new.version != old.version:
            require_same(expected, old.version)
            await store.put(member.id, new)
            await store.drop(member.id, [kind for kind, each in new.deliveries.items() if each is Delivery.NEVER])
            await store.move(member.id, new.next_digest(change.workspace.timezone, change.now))
            await audit.record(change, events.MAIL_CHOSEN, member.user.id, name=member.user.name, **_changed(old, new))
        return change.access, new


async def _own(access: Access) -> tuple[Member, AlertMail]:
    member = await workspace_store.find_member(access.workspace.id, access.actor.user_id) if access.actor.user_id else None
    if member is None:
        raise NotFound("member")
    (found,) = await store.of_members([member])
    return member, found


def _changed(old: AlertMail, new: AlertMail) -> dict[str, Any]:
    """What differs, for the audit entry."""
    before = {**{str(kind).lower(): str(each) for kind, each in old.deliveries.items()}, "digest_hour": old.hour}
    after = {**{str(kind).lower(): str(each) for kind, each in new.deliveries.items()}, "digest_hour": new.hour}
    return {name: {"before": before[name], "after": after[name]} for name in after if before[name] != after[name]}
