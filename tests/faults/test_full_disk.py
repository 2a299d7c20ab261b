"""SQLite on a full disk: no request is valid without being counted, and the node is not ready."""

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
from tests.support.http import Gateway, Wire

pytestmark = [pytest.mark.slow, pytest.mark.skipif(KIND != "sqlite", reason="it is about SQLite's files")]


async def test_a_node_that_cannot_write_is_not_ready_until_it_can(tmp_path: Path) -> None:
    environment = _environment(tmp_path)
    with contextlib.ExitStack() as stack:
        (node,) = started(stack, 1, environment, tmp_path)
        secret = await _key(node.port, environment, ["pdf.read"])
        _, hard = resource.prlimit(node.pid, resource.RLIMIT_FSIZE)
        async with Gateway(node.port, GATEWAY_TOKEN) as gateway, Wire(node.port) as wire:

            async def until(fault: str | None) -> int:
                """Waits for this fault of the database on /readyz; returns the status. The journal has its own fault there."""
                async with asyncio.timeout(60):
                    while (answer := await wire.send("GET", "/readyz")).json()["faults"].get("database") != fault:
                        await asyncio.sleep(0.1)
                return answer.status

            assert (await gateway.verdict(secret, permission="pdf.read")).json()["code"] == "VALID"
            # No file can grow any more: for a program this is a full disk, and existing data stays.
            resource.prlimit(node.pid, resource.RLIMIT_FSIZE, (0, hard))
            assert await until("cannot be written") == 503, "also when it is asked for nothing"
            for _ in range(5):
                answer = await gateway.verify(secret, permission="pdf.read")
                assert (answer.status, answer.json()["code"]) == (503, "UNAVAILABLE")
            assert await until("cannot be written") == 503
            resource.prlimit(node.pid, resource.RLIMIT_FSIZE, (hard, hard))
            await until(None)
            assert (await gateway.verdict(secret, permission="pdf.read")).json()["code"] == "VALID"
