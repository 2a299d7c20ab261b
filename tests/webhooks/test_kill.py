"""A node that is killed loses no webhook: another one sends it, with the same id."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.conftest import Team, make_key
from tests.support.processes import python
from tests.support.receiver import Receiver
from tests.support.server import Server
from tests.webhooks.conftest import make

# Commits a new key, and is killed before anything else happens.
DIES = """
import asyncio, os, signal, sys
from app import start
from app.access.actor import Actor
from app.keys import service as keys
from app.keys.key import KeySettings
from app.settings import Settings
async def main():
    async with start.opened(Settings.load(os.environ)):
        settings = KeySettings(name="Of a process that dies", environment="production", permissions=("pdf.read",))
        await keys.create(Actor.user(sys.argv[1], "Owner"), sys.argv[2], settings)
        os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""


@pytest.fixture
def sending(environment: dict[str, str]) -> dict[str, str]:
    return environment | {"KEYDESK_WEBHOOK_NETWORKS": "127.0.0.0/8"}


@pytest.mark.slow
async def test_an_event_survives_a_process_that_is_killed_after_its_commit(
    team: Team, receiver: Receiver, sending: dict[str, str], tmp_path: Path
) -> None:
    made = await make(team, receiver)
    process = python(DIES, sending, team.owner.id, team.slug)
    await asyncio.to_thread(process.communicate)
    assert process.returncode == -9 and receiver.received == []
    with Server(sending, tmp_path).running():
        (got,) = await receiver.until(1)
    assert made.secret and got.verified(made.secret)["data"]["detail"]["name"] == "Of a process that dies"


@pytest.mark.slow
async def test_an_event_survives_a_node_that_is_killed_while_it_sends(
    team: Team, receiver: Receiver, sending: dict[str, str], tmp_path: Path
) -> None:
    made = await make(team, receiver)
    for number in range(5):
        await make_key(team, f"Key {number}")
    receiver.open.clear()
    with Server(sending, tmp_path).running():
        before = {each.id for each in await receiver.until(1)}
    receiver.open.set()
    with Server(sending, tmp_path).running():
        async with asyncio.timeout(60):
            while len({each.id for each in receiver.received}) < 5 or len(receiver.received) <= len(before):
                await asyncio.sleep(0.05)
            while sum(each.id in before for each in receiver.received) < 2 * len(before):
                await asyncio.sleep(0.05)
    assert made.secret
    names = {each.id: each.verified(made.secret)["data"]["detail"]["name"] for each in receiver.received}
    assert sorted(names.values()) == [f"Key {number}" for number in range(5)]
