"""Subscriptions through the death of nodes: whoever resumes misses nothing, on any node; and a stop ends them cleanly."""

from __future__ import annotations

import asyncio
import itertools
import json
from typing import Any

import psutil
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from app import connections
from app.management_keys import service as management_keys
from app.rotations import service as rotations
from tests.conftest import make_key, make_team
from tests.faults.conftest import Desk, StartNodes, listening
from tests.support.alerts import raise_alert
from tests.support.http import Gateway, Program
from tests.support.subscriptions import PROTOCOL, connected, streamed

USED = "keys/used"
WITHIN_SECONDS = 60
# Its answer has 80 kB.
LARGE = "{ __schema { types { name description fields { name description } } } }"
MOST_MEMORY = 64 * 1024 * 1024


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


async def test_no_request_and_no_alert_is_missed_through_the_death_of_a_node(desk: Desk, nodes: StartNodes) -> None:
    made = await make_key(desk.team)
    here, there = nodes(2)
    async with Gateway(there.port, desk.gateway) as gateway, asyncio.timeout(300):
        async with (
            streamed(here.url, desk.program, USED, id=made.key.id) as uses,
            connected(here.url, additional_headers=bearer(desk.program)) as socket,
        ):
            counted, cursor = 0, (await uses.data())["cursor"]
            await socket.begin()
            await socket.run("alerts/raised", workspace=desk.slug)
            raised = (await socket.data())["cursor"]
            # What another node counts and raises is told here.
            for _ in range(5):
                await gateway.verdict(made.secret or "")
            while counted < 5:
                event = await uses.data()
                counted, cursor = counted + event["requests"], event["cursor"]
            alerts = [await raise_alert(made.key)]
            event = await socket.data()
            assert event["alert"]["id"] == alerts[0]
            raised = event["cursor"]
            here.kill()
            # Neither stream says that it is complete, so clients connect again.
            assert await uses.next() is None and not uses.completed
            assert await socket.next() == 1006
        for _ in range(3):
            await gateway.verdict(made.secret or "")
        alerts.append(await raise_alert((await make_key(desk.team, "Other")).key))
        here.start()
        await listening(here)
        for node in (here, there):
            async with streamed(node.url, desk.program, USED, id=made.key.id, after=cursor) as uses:
                total = 0
                while total < 3:
                    total += (await uses.data())["requests"]
                assert total == 3
            async with streamed(node.url, desk.program, "alerts/raised", workspace=desk.slug, after=raised) as told:
                assert (await told.data())["alert"]["id"] == alerts[1]


async def test_a_rotation_is_followed_on_a_node_that_does_not_verify(desk: Desk, nodes: StartNodes) -> None:
    started = await rotations.start(desk.team.owner, (await make_key(desk.team)).key.id)
    here, there = nodes(2)
    async with (
        asyncio.timeout(WITHIN_SECONDS),
        connected(here.url) as socket,
        Gateway(there.port, desk.gateway) as gateway,
        Program(there.port, desk.program) as program,
    ):
        await socket.begin({"Authorization": f"Bearer {desk.program}"})
        await socket.run("rotations/changed", id=started.progress.rotation.id)
        assert (await socket.data())["rotation"]["state"] == "ISSUED"
        await gateway.verdict(started.secret or "")
        assert (await socket.data())["rotation"]["state"] != "ISSUED"
        await program.change("rotations/cancel", id=started.progress.rotation.id, force=True)
        while (await socket.data())["rotation"]["state"] != "CANCELLED":
            pass


async def test_a_stop_ends_all_streams_so_that_clients_connect_again(desk: Desk, nodes: StartNodes) -> None:
    made = await make_key(desk.team)
    (node,) = nodes(1)
    async with (
        asyncio.timeout(WITHIN_SECONDS),
        streamed(node.url, desk.program, USED, id=made.key.id) as uses,
        connected(node.url, additional_headers=bearer(desk.program)) as busy,
        connected(node.url, additional_headers=bearer(desk.program)) as idle,
    ):
        await uses.data()
        await busy.begin()
        await busy.run(USED, id=made.key.id)
        await busy.data()
        await idle.begin()
        stopping = asyncio.create_task(asyncio.to_thread(node.stop))
        assert await uses.next() is None and not uses.completed
        assert [await busy.next(), await idle.next()] == [1012, 1012]
        assert await stopping == 0
    assert "Traceback" not in node.log.read_text()


async def test_a_revoked_management_key_ends_its_streams_within_seconds(desk: Desk, nodes: StartNodes) -> None:
    (node,) = nodes(1)
    async with Program(node.port, desk.program) as program:
        viewer: Any = await program.ask("{ viewer { managementKey { id } } }")
    async with (
        asyncio.timeout(WITHIN_SECONDS),
        streamed(node.url, desk.program, "alerts/raised") as told,
        connected(node.url, additional_headers=bearer(desk.program)) as socket,
    ):
        await told.data()
        await socket.begin()
        await management_keys.revoke(desk.team.owner, viewer["viewer"]["managementKey"]["id"])
        assert await told.next() is None and not told.completed
        assert await socket.next() == 4401


async def test_websockets_are_refused_for_other_sites_paths_and_strangers(desk: Desk, nodes: StartNodes) -> None:
    (node,) = nodes(1)
    good = bearer(desk.program)
    for options in (
        {"additional_headers": good, "origin": "https://evil.example"},
        {"additional_headers": bearer("fl_mgmt_wrong")},
        {"additional_headers": good, "subprotocols": ["graphql-ws"]},
    ):
        with pytest.raises(InvalidStatus) as refusal:
            async with connected(node.url, **options):
                pass
        assert refusal.value.response.status_code == 403
    for path in ("/v1/verify", "/", "/graphql/x"):
        with pytest.raises(InvalidStatus) as refusal:
            async with connected(node.url + path, additional_headers=good):
                pass
        assert refusal.value.response.status_code == 403
    async with connected(node.url, additional_headers=good, origin=node.url) as socket:
        await socket.begin()
    assert "Traceback" not in node.log.read_text()


@pytest.mark.slow
async def test_a_client_that_reads_nothing_is_disconnected_and_fills_no_memory(desk: Desk, nodes: StartNodes) -> None:
    (node,) = nodes(1)
    process = psutil.Process(node.pid)
    address = node.url.replace("http://", "ws://") + "/graphql"
    async with connect(address, subprotocols=[PROTOCOL], additional_headers=bearer(desk.program), proxy=None) as connection:
        await connection.send(json.dumps({"type": "connection_init"}))
        await connection.recv()
        before = process.memory_info().rss
        connection.transport.pause_reading()
        async with asyncio.timeout(connections.UNREAD_MILLISECONDS / 1_000 * 2.5):
            with pytest.raises(ConnectionClosed):
                for number in itertools.count():
                    asked = {"type": "subscribe", "id": str(number), "payload": {"query": LARGE}}
                    await connection.send(json.dumps(asked))
        assert process.memory_info().rss - before < MOST_MEMORY


async def test_other_workspaces_are_not_told(desk: Desk, nodes: StartNodes) -> None:
    rival = await make_team("rival")
    theirs, mine = (await make_key(rival)).key, (await make_key(desk.team)).key
    (node,) = nodes(1)
    async with asyncio.timeout(WITHIN_SECONDS), streamed(node.url, desk.program, "alerts/raised") as told:
        await told.data()
        await raise_alert(theirs)
        alert = await raise_alert(mine)
        assert (await told.data())["alert"]["id"] == alert
    async with streamed(node.url, desk.program, USED, id=theirs.id) as told:
        assert await told.error() == "NOT_FOUND"
