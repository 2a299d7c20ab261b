"""A node that is killed loses no mail: another one sends it, with the same id."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from app.access.actor import Role
from app.members import service as members
from tests.conftest import Team
from tests.support.processes import python
from tests.support.server import Server
from tests.support.smtp import Smtp

# Commits an invitation, and is killed before anything else happens.
DIES = """
import asyncio, os, signal, sys
from app import database, start
from app.access.actor import Actor, Role
from app.members import service as members
from app.settings import Settings
async def main():
    async with start.opened(Settings.load(os.environ)):
        actor = Actor.user(sys.argv[1], "Owner")
        await members.invite(actor, sys.argv[2], "new@example.org", Role.EDITOR)
        os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""


async def until(smtp: Smtp, mails: int) -> list[str]:
    """The ids of the mails, when there are so many."""
    async with asyncio.timeout(60):
        while len(smtp.received) < mails:
            await asyncio.sleep(0.05)
    return [letter["Message-ID"] for letter in smtp.received]


@pytest.mark.slow
async def test_a_mail_survives_a_process_that_is_killed_after_its_commit(
    team: Team, smtp: Smtp, environment: dict[str, str], tmp_path: Path
) -> None:
    posting = environment | {"KEYDESK_SMTP_URL": f"smtp://127.0.0.1:{smtp.port}"}
    process = python(DIES, posting, team.owner.id, team.slug)
    await asyncio.to_thread(process.communicate)
    assert process.returncode == -9 and smtp.received == []
    with Server(posting, tmp_path).running():
        await until(smtp, 1)
    assert smtp.recipients == ["new@example.org"]


@pytest.mark.slow
async def test_a_mail_survives_a_node_that_is_killed_while_it_sends(
    team: Team, smtp: Smtp, environment: dict[str, str], tmp_path: Path
) -> None:
    smtp.open.clear()
    posting = environment | {"KEYDESK_SMTP_URL": f"smtp://127.0.0.1:{smtp.port}"}
    await members.invite(team.owner, team.slug, "new@example.org", Role.EDITOR)
    with Server(posting, tmp_path).running():
        first = await until(smtp, 1)
    smtp.open.set()
    with Server(posting, tmp_path).running():
        assert await until(smtp, 2) == first * 2, "received by a server that could not confirm it: sent again, with the same id"
