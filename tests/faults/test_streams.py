"""A live page does not prevent a node from stopping, and gets changes made on another node."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx

from app.rotations import service as rotations
from tests.conftest import make_key
from tests.faults.conftest import Desk, StartNodes
from tests.support.http import Gateway
from tests.support.users import PASSWORD
from tests.support.visitor import Visitor


async def events(answer: httpx.Response) -> AsyncIterator[str]:
    """Each event's data as one text."""
    lines: list[str] = []
    async for line in answer.aiter_lines():
        if line.startswith("data: "):
            lines.append(line.removeprefix("data: "))
        elif not line and lines:
            yield "\n".join(lines)
            lines = []


async def test_a_stream_sends_changes_from_another_node_and_ends_when_its_own_stops(desk: Desk, nodes: StartNodes) -> None:
    key = (await make_key(desk.team)).key
    started = await rotations.start(desk.team.owner, key.id)
    here, there = nodes(2)
    async with Visitor(here.url) as visitor, Gateway(there.port, desk.gateway) as gateway:
        await visitor.sign_in("ann@example.org", PASSWORD)
        path = f"/w/{desk.slug}/settings/api-keys/{key.id}/rotation/events"
        async with asyncio.timeout(30), visitor.client.stream("GET", path) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            told = events(answer)
            assert "Nobody has used the new key yet" in await anext(told)
            await gateway.verdict(started.secret or "")
            assert "not used yet" not in await anext(told)
            assert await asyncio.to_thread(here.stop) == 0
            assert [event async for event in told] == []
