"""SQLite where nothing can be written any more: nothing is valid uncounted, and the node says that it is not ready."""

from __future__ import annotations

import asyncio
import contextlib
import resource
from pathlib import Path

import pytest

from tests.conftest import GATEWAY_TOKEN, KIND
from tests.faults.conftest import started
from tests.faults.test_postgres_gone import _key
from tests.faults.test_replaced_file import _environment
from tests.support.wire import Gateway, Wire

pytestmark = [pytest.mark.slow, pytest.mark.skipif(KIND != "sqlite", reason="it is about SQLite's files")]


async def test_a_node_that_can_write_nothing_is_not_ready_and_is_again_when_it_can(tmp_path: Path) -> None:
    environment = _environment(tmp_path)
    with contextlib.ExitStack() as stack:
        (node,) = started(stack, 1, environment, tmp_path)
        secret = await _key(node.port, environment, ["pdf.read"])
        _, hard = resource.prlimit(node.pid, resource.RLIMIT_FSIZE)
        async with Gateway(node.port, GATEWAY_TOKEN) as gateway, Wire(node.port) as wire:

            async def until(fault: str | None) -> int:
                """Waits for what /readyz says of the database; answers its status. The journal has its own word there."""
                async with asyncio.timeout(60):
                    while (answer := await wire.send("GET", "/readyz")).json()["faults"].get("database") != fault:
                        await asyncio.sleep(0.1)
                return answer.status

            assert (await gateway.verify(secret, permission="pdf.read")).json()["code"] == "VALID"
            # No file grows any more: to a program that is a full disk, and whatever it wrote before stays.
            resource.prlimit(node.pid, resource.RLIMIT_FSIZE, (0, hard))
            assert await until("cannot be written") == 503, "also when it is asked for nothing"
            for _ in range(5):
                answer = await gateway.verify(secret, permission="pdf.read")
                assert (answer.status, answer.json()["code"]) == (503, "UNAVAILABLE")
            assert await until("cannot be written") == 503
            resource.prlimit(node.pid, resource.RLIMIT_FSIZE, (hard, hard))
            await until(None)
            assert (await gateway.verify(secret, permission="pdf.read")).json()["code"] == "VALID"
