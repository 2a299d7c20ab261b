"""A receiver, and a sender that may reach it."""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from app import database, runtime
from app.paging import Window
from app.settings import Settings
from app.webhooks import dispatch
from app.webhooks import service as webhooks
from app.webhooks.sender import Sender
from app.webhooks.service import Created
from app.webhooks.validation import WebhookInput
from app.webhooks.webhook import Delivery, Kind, Webhook
from tests.conftest import Team
from tests.support.access import seen
from tests.support.receiver import Receiver

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)


@pytest.fixture
async def receiver(db: None, settings: Settings) -> AsyncIterator[Receiver]:
    async with Receiver.running() as found:
        with runtime.replaced(Sender(replace(settings, webhook_networks=LOOPBACK))):
            yield found


async def make(team: Team, receiver: Receiver, *events: str, kind: Kind = Kind.STANDARD, name: str = "CI") -> Created:
    return await webhooks.create(team.owner, team.slug, WebhookInput(name, kind, receiver.url, events))


async def deliver() -> None:
    """One run of the job, as a running node does it."""
    await dispatch.run(await database.now())


async def log(team: Team, webhook: Webhook) -> list[Delivery]:
    """The deliveries, newest first."""
    return list((await webhooks.deliveries(await seen(team.owner, team.slug), webhook, Window(100))).items)


async def now_of(team: Team, webhook: Webhook) -> Webhook:
    return await webhooks.get(team.owner, webhook.id)
