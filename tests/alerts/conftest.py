"""Keys that are due soon, a clock that a test sets, and one run of the job."""

from __future__ import annotations

from collections.abc import AsyncIterator
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest

from app import catalogue, database
from app.alerts import service as alerts
from app.alerts.alert import Alert
from app.clock import DAY
from app.keys.key import ApiKey
from app.settings import Settings
from tests.conftest import Team, make_key
from tests.support.access import seen
from tests.support.outbox import send_mails

NOW = 1_793_000_000_000_000
Told = tuple[str, str, int]


@pytest.fixture
async def at(team: Team) -> AsyncIterator[int]:
    """Sets the clock to an instant."""
    database.freeze(NOW)
    yield NOW


async def key_due(team: Team, in_days: int, name: str = "Production server") -> ApiKey:
    """A production key that is due for rotation in so many days from NOW, because it was created earlier."""
    every = catalogue.current().environments["production"].rotate_every_days
    assert every is not None
    database.freeze(NOW + (in_days - every) * DAY)
    made = (await make_key(team, name)).key
    database.freeze(NOW)
    return made


async def round_at(now: int) -> list[Told]:
    """Runs the job at this instant and returns the new notices."""
    database.freeze(now)
    return sorted(said(each) for each in await alerts.run(now))


def said(alert: Alert) -> Told:
    return alert.key.name, str(alert.kind), alert.days


async def open_now(team: Team) -> list[Told]:
    return sorted(said(each) for each in await alerts.open_alerts(await seen(team.viewer, team.slug)))


async def mailbox(settings: Settings) -> list[EmailMessage]:
    """The mails in the folder, the oldest first."""
    await send_mails()
    paths = sorted(settings.mail_path.glob("*.eml")) if settings.mail_path.exists() else []
    return [message_from_bytes(path.read_bytes(), policy=policy.default) for path in paths]


@pytest.fixture
async def emptied(settings: Settings, opened: None) -> None:
    """Empties the mail folder."""
    await send_mails()
    for path in settings.mail_path.glob("*.eml") if settings.mail_path.exists() else ():
        path.unlink()
