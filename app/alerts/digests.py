"""Mails new alerts: one email to each member who can act on them and wants them."""

from __future__ import annotations

from collections.abc import Sequence

from app import catalogue, mail
from app.access.actor import Role
from app.alerts import emails
from app.alerts.alert import Alert
from app.outbox import mails
from app.tenancy import store as workspace_store
from app.tenancy.service import Change


async def send(change: Change, alerts: Sequence[Alert], now: int) -> None:
    """In the transaction that raises the alerts; the outbox sends what is committed."""
    if not alerts:
        return
    email = emails.digest(change.workspace, [*alerts], catalogue.current(), mail.current().link, now)
    for member in await workspace_store.members(change.workspace.id):
        if member.role.includes(Role.EDITOR):
            await mails.send(member.user.email, email, now)
