"""`keydesk serve --workers 2`: one server in two processes, which may die, and whose parent may die."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import json
import os
import re
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from app import database
from tests.conftest import KIND, make_key
from tests.faults.conftest import Desk, StartNodes, started
from tests.faults.test_replaced_file import _copied, _environment
from tests.support.http import Gateway, Unanswered, Wire
from tests.support.server import Server

pytestmark = pytest.mark.slow
CALLERS = 16
SHARED = "keydesk-metrics-*"


@dataclass
class Load:
    """Callers with a connection each, until it is over; `unanswered` requests count once or not at all."""

    node: Server
    desk: Desk
    secret: str
    codes: collections.Counter[tuple[int, str]] = field(default_factory=collections.Counter)
    unanswered: int = 0
    over: bool = False

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with asyncio.timeout(120), asyncio.TaskGroup() as group:
            for _ in range(CALLERS):
                group.create_task(self._call())
            try:
                yield
            finally:
                self.over = True

    async def more(self, count: int = 300) -> None:
        wanted = self.codes.total() + count
        while self.codes.total() < wanted:
            await asyncio.sleep(0.01)

    async def _call(self) -> None:
        async with Gateway(self.node.port, self.desk.gateway) as gateway:
            while not self.over:
                try:
                    answer = await gateway.verify(self.secret)
                    self.codes[(answer.status, answer.json()["code"])] += 1
                except Unanswered:
                    self.unanswered += 1
                await asyncio.sleep(0.005)

    @property
    def undecided(self) -> int:
        """On a busy machine a worker may answer that it was too slow; such a request counts once or not at all."""
        return self.codes[(503, "UNAVAILABLE")]

    async def check(self, key_id: str) -> None:
        """Every answer was counted, and no request twice."""
        assert set(self.codes) <= {(200, "VALID"), (503, "UNAVAILABLE")}
        valid = self.codes[(200, "VALID")]
        rows = await database.fetch("SELECT SUM(requests) AS n FROM usage_hour WHERE key = {}", key_id)
        assert valid <= int(rows[0]["n"]) <= valid + self.undecided + self.unanswered


def workers_of(node: Server) -> list[int]:
    """The process ids of the children."""
    return [int(pid) for pid in Path(f"/proc/{node.pid}/task/{node.pid}/children").read_text().split()]


def printed(node: Server) -> list[str]:
    return node.log.read_text().splitlines()


async def scrape(node: Server) -> dict[str, float]:
    """The metrics, by name and labels, on a connection of its own."""
    async with Wire(node.port) as wire:
        text = (await wire.send("GET", "/metrics")).body.decode()
    lines = [line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in lines}


async def serving(node: Server, count: int = 2) -> list[int]:
    """Its workers, once there are so many and each has installed its signal handlers."""
    async with asyncio.timeout(60):
        while len(found := [pid for pid in workers_of(node) if catches_sigterm(pid)]) < count:
            await asyncio.sleep(0.02)
    return found


def catches_sigterm(pid: int) -> bool:
    with contextlib.suppress(OSError):  # it has ended
        (caught,) = re.findall(r"^SigCgt:\s+(\w+)$", Path(f"/proc/{pid}/status").read_text(), re.M)
        return bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)
    return False


async def gone(pids: list[int]) -> None:
    async with asyncio.timeout(60):
        while any(Path(f"/proc/{pid}").exists() for pid in pids):
            await asyncio.sleep(0.02)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where servers that the test starts have their temporary files."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


async def test_two_workers_answer_and_every_answer_is_counted_and_measured_once(
    desk: Desk, nodes: StartNodes, folder: Path
) -> None:
    made, (node,) = await make_key(desk.team), await asyncio.to_thread(nodes, 1, KEYDESK_WORKERS="2")
    assert len(await serving(node)) == 2
    # A fork copies only the thread that forks.
    assert len(list(Path(f"/proc/{node.pid}/task").iterdir())) == 1
    load, before = Load(node, desk, made.secret or ""), await scrape(node)
    async with load.running():
        await load.more()
        during = await scrape(node)
    # Both have connections.
    for number in (1, 2):
        name = f'process_open_fds{{worker="{number}"}}'
        assert during[name] > before[name]
    # Several connections, so that both workers answer.
    for _ in range(8):
        found = await scrape(node)
        assert found['keydesk_verifications_total{code="VALID"}'] == load.codes[(200, "VALID")]
        assert found["keydesk_verification_batch_requests_sum"] == load.codes.total()
    assert load.unanswered == 0
    assert await asyncio.to_thread(node.stop) == 0
    assert await database.fetch("SELECT id FROM usage_log") == []
    await load.check(made.key.id)
    assert list(folder.glob(SHARED)) == []
    lines = [json.loads(line) for line in printed(node) if line.startswith("{")]
    assert {line.get("worker") for line in lines if line["event"].startswith("answering for another")} == {1, 2}
    assert sum(line.startswith("Keydesk listens on") for line in printed(node)) == 1


async def test_a_killed_worker_is_replaced_and_loses_no_count_and_no_connection(
    desk: Desk, nodes: StartNodes, folder: Path
) -> None:
    made, (node,) = await make_key(desk.team), await asyncio.to_thread(nodes, 1, KEYDESK_WORKERS="2")
    load = Load(node, desk, made.secret or "")
    # A refused connection (Unsent) would end the load with an error.
    async with load.running():
        for _ in range(3):
            await load.more()
            first, second = workers_of(node)
            os.kill(second, signal.SIGKILL)
            async with asyncio.timeout(60):
                while len(set(workers_of(node)) - {second}) < 2:
                    await asyncio.sleep(0.02)
            assert first in workers_of(node)
            await load.more()
    assert load.unanswered <= 3 * CALLERS
    measured = (await scrape(node))['keydesk_verifications_total{code="VALID"}']
    # The killed one's figures are kept; it may have counted answers that it did not send any more.
    assert load.codes[(200, "VALID")] <= measured <= load.codes[(200, "VALID")] + load.unanswered
    assert await asyncio.to_thread(node.stop) == 0
    assert await database.fetch("SELECT id FROM usage_log") == []
    await load.check(made.key.id)
    # It is the same worker's number each time, whose processes were all short-lived.
    pauses = re.findall(r"worker (\d) \(process \d+\) ended with signal 9: replaced in (\S+) s", node.log.read_text())
    assert pauses == [("2", "0.1"), ("2", "0.5"), ("2", "1")]


async def test_a_graceful_stop_under_load_fails_no_request(desk: Desk, nodes: StartNodes) -> None:
    made = await make_key(desk.team)
    (node,) = await asyncio.to_thread(nodes, 1, KEYDESK_WORKERS="2", KEYDESK_DRAIN_SECONDS="3")
    load = Load(node, desk, made.secret or "")
    async with load.running():
        await load.more()
        assert node.process is not None
        node.process.terminate()
        # As a load balancer does: nothing more is sent once the node is not ready.
        async with asyncio.timeout(60), Wire(node.port) as wire:
            while "node" not in (await wire.send("GET", "/readyz")).json()["faults"]:
                await asyncio.sleep(0.01)
        await load.more(50)
    assert load.unanswered == 0
    assert await asyncio.to_thread(node.process.wait, 60) == 0
    assert await database.fetch("SELECT id FROM usage_log") == []
    await load.check(made.key.id)


async def test_a_signal_to_all_processes_counts_once_and_a_second_one_ends_the_draining(desk: Desk, nodes: StartNodes) -> None:
    (node,) = await asyncio.to_thread(nodes, 1, KEYDESK_WORKERS="2", KEYDESK_DRAIN_SECONDS="300")
    for pid in (*await serving(node), node.pid):
        os.kill(pid, signal.SIGTERM)
    async with asyncio.timeout(60):
        while sum("answering for another 300 s" in line for line in printed(node)) < 2:
            await asyncio.sleep(0.02)
    for _ in range(20):
        async with Wire(node.port) as wire:
            assert (await wire.send("GET", "/livez")).status == 200
    assert await asyncio.to_thread(node.stop) == 0


async def test_a_worker_that_is_stopped_finishes_its_requests_and_is_replaced(desk: Desk, nodes: StartNodes) -> None:
    made, (node,) = await make_key(desk.team), await asyncio.to_thread(nodes, 1, KEYDESK_WORKERS="2")
    load = Load(node, desk, made.secret or "")
    first, second = await serving(node)
    async with load.running():
        await load.more()
        os.kill(first, signal.SIGTERM)
        await gone([first])
        await load.more()
    found = await serving(node)
    assert first not in found
    assert second in found
    await load.check(made.key.id)


async def test_workers_whose_parent_is_killed_end_by_themselves_and_free_the_port(
    desk: Desk, nodes: StartNodes, folder: Path
) -> None:
    made, (node,) = await make_key(desk.team), await asyncio.to_thread(nodes, 1, KEYDESK_WORKERS="2", KEYDESK_DRAIN_SECONDS="300")
    async with Gateway(node.port, desk.gateway) as gateway:
        assert (await gateway.verdict(made.secret or "")).json()["code"] == "VALID"
    left = workers_of(node)
    node.kill()
    await gone(left)
    assert list(folder.glob(SHARED)) == []
    node.start()
    assert await database.fetch("SELECT SUM(requests) AS n FROM usage_hour WHERE key = {}", made.key.id) == [{"n": 1}]


async def test_one_worker_is_one_process_without_shared_files(db: None, nodes: StartNodes, folder: Path) -> None:
    (node,) = await asyncio.to_thread(nodes, 1)
    assert workers_of(node) == []
    assert list(folder.glob(SHARED)) == []
    assert "process_open_fds" in await scrape(node)


async def test_a_port_in_use_is_refused_with_workers_in_one_line(
    db: None, nodes: StartNodes, environment: dict[str, str], folder: Path
) -> None:
    (node,) = await asyncio.to_thread(nodes, 1, KEYDESK_WORKERS="2")
    for count in ("1", "2"):
        (folder / count).mkdir()
        other = Server(environment, folder / count, port=node.port).start(ready=False, options=["--workers", count])
        assert other.process is not None
        assert await asyncio.to_thread(other.process.wait, 60) == 1
        (line,) = printed(other)
        assert re.fullmatch(r"Error: Keydesk cannot listen on 127\.0\.0\.1 port \d+: Address already in use\. .+", line)


@pytest.mark.skipif(KIND != "sqlite", reason="it is about SQLite's file")
async def test_a_replaced_file_ends_the_server_with_one_error(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        (node,) = await asyncio.to_thread(started, stack, 1, _environment(tmp_path) | {"KEYDESK_WORKERS": "2"}, tmp_path)
        left = workers_of(node)
        _copied(tmp_path, tmp_path / "copy.db")
        for end in ("-wal", "-shm"):
            (tmp_path / f"keydesk.db{end}").unlink()
        (tmp_path / "copy.db").replace(tmp_path / "keydesk.db")
        assert node.process is not None
        assert await asyncio.to_thread(node.process.wait, 60) == 1
        await gone(left)
        (error,) = [line for line in printed(node) if line.startswith("Error")]
        assert "was replaced or removed" in error
        assert not [line for line in printed(node) if "replaced in" in line]
