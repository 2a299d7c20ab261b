"""Mails alerts: at once to the members who want that, and once a day, together, to those who want a digest."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

from app import catalogue, mail
from app.access.actor import Actor
from app.access.policy import Action
from app.alerts import alert_store, emails, mail_store
from app.alerts.alert import Alert
from app.alerts.alert_mail import Delivery
from app.errors import Unavailable
from app.outbox import mails
from app.tenancy import service as tenancy
from app.tenancy import store as workspace_store
from app.tenancy.service import Change

_log = logging.getLogger("keydesk.alerts")


async def send(change: Change, alerts: Sequence[Alert], now: int) -> None:
    """In the transaction that raises the alerts; the outbox sends what is committed, and the digest what waits for it."""
    if not alerts:
        return
    members = await workspace_store.members(change.workspace.id)
    for member, chosen in zip(members, await mail_store.of_members(members), strict=True):
        at_once = [alert for alert in alerts if chosen.delivery(alert) is Delivery.AT_ONCE]
        if at_once:
            email = emails.new_alerts(change.workspace, at_once, catalogue.current(), mail.current().link, now)
            await mails.send(member.user.email, email, now)
        if later := [alert.id for alert in alerts if chosen.delivery(alert) is Delivery.DAILY]:
            await mail_store.put_off(member.id, later, chosen.next_digest(change.workspace.timezone, now))


async def is_wanted(now: int) -> bool:
    """Whether a digest is due."""
    return await mail_store.is_any_due(now)


async def run(now: int) -> int:
    """Writes every digest that is due into the outbox; returns how many.

    For the job. A digest is taken and its mail written in one transaction under the lock of the workspace: concurrent runs, or one
    after a crash, write none twice and lose none.
    """
    written = 0
    for member_id in await mail_store.due(now):
        try:
            written += await _write(member_id)
        except Unavailable as failure:
            _log.warning("digests are put off: %s", failure.internal)
        except Exception:
            # A failure for one member does not affect the digests of others.
            _log.exception("the digest of %s could not be written", member_id)
    return written


async def _write(member_id: str) -> bool:
    """Whether there was a digest to write."""
    member = await workspace_store.member_by_id(member_id)
    if member is None:
        return False  # the membership has ended, and with it the digest
    # Nothing of the workspace changes, so there is no audit entry.
    async with tenancy.changing(Actor.system(), None, Action.READ_KEYS, workspace_id=member.workspace_id) as change:
        alerts = await alert_store.find_many(await mail_store.take(member_id, change.now), change.now)
        member = await workspace_store.find_member(change.workspace.id, member.user.id)
        if not alerts or member is None:
            return False
        alerts.sort(key=lambda alert: (-alert.at, alert.id))
        email = emails.daily_digest(change.workspace, alerts, catalogue.current(), mail.current().link, change.now)
        await mails.send(member.user.email, email, change.now)
        (chosen,) = await mail_store.of_members([member])
        await mail_store.put(member_id, replace(chosen, digested_at=change.now))
    return True
