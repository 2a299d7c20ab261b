"""Keys whose time is near, a clock that a test moves, and a round of the job."""

from __future__ import annotations

from collections.abc import AsyncIterator
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest

from app import catalogue, database, mail
from app.clock import DAY
from app.keys.key import ApiKey
from app.notices import service as notices
from app.notices.notice import Notice
from app.settings import Settings
from tests.conftest import Team, make_key

NOW = 1_793_000_000_000_000
Told = tuple[str, str, int]


@pytest.fixture
async def at(team: Team) -> AsyncIterator[int]:
    """The instant at which the clock stands."""
    database.freeze(NOW)
    yield NOW


async def key_due(team: Team, in_days: int, name: str = "Production server") -> ApiKey:
    """A production key that its schedule wants replaced in so many days from NOW (by its creation, which was earlier)."""
    every = catalogue.current().environments["production"].rotate_every_days
    assert every is not None
    database.freeze(NOW + (in_days - every) * DAY)
    made = (await make_key(team, name)).key
    database.freeze(NOW)
    return made


async def round_at(now: int) -> list[Told]:
    """A round of the job at this instant, and what it told."""
    database.freeze(now)
    return sorted(said(each) for each in await notices.run(now))


def said(notice: Notice) -> Told:
    return notice.key.name, str(notice.kind), notice.days


async def open_now(team: Team) -> list[Told]:
    return sorted(said(each) for each in await notices.open_notices(team.viewer, team.slug))


async def mailbox(settings: Settings) -> list[EmailMessage]:
    """What lies in the folder, the oldest first."""
    await mail.current().drain()
    paths = sorted(settings.mail_path.glob("*.eml")) if settings.mail_path.exists() else []
    return [message_from_bytes(path.read_bytes(), policy=policy.default) for path in paths]


@pytest.fixture
async def emptied(settings: Settings, opened: None) -> None:
    """No mail in the folder."""
    await mail.current().drain()
    for path in settings.mail_path.glob("*.eml") if settings.mail_path.exists() else ():
        path.unlink()
