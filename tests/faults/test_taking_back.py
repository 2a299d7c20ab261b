"""What was taken back is refused by every verification that begins after the answer, on every node, and works again as soon
as it was given back.

Gateways verify without pause while something is taken away and given back. Each notes when it sent and what it was told;
the machine's monotonic clock tells which verifications lay wholly after an answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field

import asyncpg
import pytest

from app.access.actor import Actor
from app.gateways import service as gateways
from app.keys.service import Created
from app.settings import Settings
from app.workspaces import service as workspaces
from tests.conftest import KIND, make_key
from tests.faults.conftest import Desk, StartNodes
from tests.support.server import Server
from tests.support.wire import Gateway, Program, Undecided

pytestmark = pytest.mark.slow
NODES = 3 if KIND == "postgres" else 2
LEAST = 100_000 if KIND == "postgres" else 30_000
KEYS, WIRES_PER_NODE, AROUND = 60, 8, 3
ASKED = "pdf.read"


@dataclass(frozen=True, slots=True)
class Seen:
    """One verification: which key, on which node, when it was sent and answered (ns), and the code, or the HTTP status."""

    key: int
    node: int
    sent: int
    answered: int
    told: str


@dataclass
class Watch:
    """Verifies keys around `turn`, the one whose turn it is, until `over`."""

    keys: list[Created]
    nodes: list[Server]
    token: str
    around: int = AROUND
    turn: int = 0
    over: bool = False
    seen: list[Seen] = field(default_factory=list)

    @contextlib.asynccontextmanager
    async def verifying(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            for index, node in enumerate(self.nodes):
                for number in range(WIRES_PER_NODE):
                    group.create_task(self._verify(index, node, random.Random(100 * index + number)))
            try:
                yield
            finally:
                self.over = True

    async def until(self, count: int) -> None:
        while len(self.seen) < count:
            await asyncio.sleep(0.01)

    async def _verify(self, index: int, node: Server, chance: random.Random) -> None:
        async with Gateway(node.port, self.token) as gateway:
            while not self.over:
                key = min(max(self.turn + chance.randint(-self.around, self.around), 0), len(self.keys) - 1)
                sent = time.monotonic_ns()
                answer = await gateway.verify(self.keys[key].secret or "", permission=ASKED)
                told = answer.json()["code"] if answer.status == 200 else str(answer.status)
                self.seen.append(Seen(key, index, sent, time.monotonic_ns(), told))


async def test_no_verification_is_accepted_after_its_keys_revocation_was_answered(desk: Desk, nodes: StartNodes) -> None:
    watch = Watch([await make_key(desk.team, f"Key {number}") for number in range(KEYS)], nodes(NODES), desk.gateway)
    answered: dict[int, int] = {}
    chance = random.Random(18)
    async with contextlib.AsyncExitStack() as stack:
        programs = [await stack.enter_async_context(Program(node.port, desk.program)) for node in watch.nodes]
        await stack.enter_async_context(watch.verifying())
        for turn, created in enumerate(watch.keys):
            watch.turn = turn
            await watch.until(LEAST * turn // KEYS)
            revoked = await chance.choice(programs).change("keys/revoke", id=created.key.id, reason="EXPOSED_IN_LOGS")
            answered[turn] = time.monotonic_ns()
            assert revoked["apiKey"]["status"] == "REVOKED"
        await watch.until(LEAST)
    late = [seen for seen in watch.seen if seen.sent > answered[seen.key]]
    assert {seen.told for seen in late} == {"REVOKED"}
    assert {seen.node for seen in late} == set(range(NODES))
    assert len(watch.seen) >= LEAST
    assert {seen.told for seen in watch.seen} == {"VALID", "REVOKED"}
    # A node that is slow for a moment may miss a key's turn.
    assert sum(_overlaps(watch.seen, key) for key in answered) >= KEYS * 9 // 10


def _overlaps(seen: list[Seen], key: int) -> bool:
    """Whether the key was seen both good and revoked: else nothing was proved about it."""
    return {each.told for each in seen if each.key == key} == {"VALID", "REVOKED"}


@dataclass(frozen=True)
class Switch:
    """Something that can be taken away and given back; `told` is what a verification hears meanwhile."""

    take: Callable[[], Awaitable[object]]
    give: Callable[[], Awaitable[object]]
    told: str


def _suspension(desk: Desk, program: Program, key: str) -> Switch:
    return Switch(lambda: program.change("keys/suspend", id=key), lambda: program.change("keys/resume", id=key), "SUSPENDED")


def _workspace(desk: Desk, program: Program, key: str) -> Switch:
    operator = Actor.operator()
    return Switch(lambda: workspaces.suspend(operator, desk.slug), lambda: workspaces.resume(operator, desk.slug), "SUSPENDED")


def _permission(desk: Desk, program: Program, key: str) -> Switch:
    def having(*names: str) -> Callable[[], Awaitable[object]]:
        return lambda: program.change("keys/update", id=key, permissions=list(names))

    return Switch(having("pdf.generate"), having("pdf.generate", ASKED), "PERMISSION_DENIED")


def _allow_list(desk: Desk, program: Program, key: str) -> Switch:
    def allowing(*networks: str) -> Callable[[], Awaitable[object]]:
        return lambda: program.change("keys/update", id=key, allowedIps=list(networks))

    return Switch(allowing("203.0.113.0/24"), allowing(), "IP_NOT_ALLOWED")


SWITCHES = {"suspended": _suspension, "workspace suspended": _workspace, "permission": _permission, "allow-list": _allow_list}


@pytest.mark.parametrize("name", SWITCHES)
async def test_every_other_change_binds_the_next_verification_too_and_so_does_its_undoing(
    desk: Desk, nodes: StartNodes, name: str
) -> None:
    watch = Watch([await make_key(desk.team)], nodes(NODES), desk.gateway)
    async with contextlib.AsyncExitStack() as stack:
        programs = [await stack.enter_async_context(Program(node.port, desk.program)) for node in watch.nodes]
        switches = [SWITCHES[name](desk, program, watch.keys[0].key.id) for program in programs]
        await stack.enter_async_context(watch.verifying())
        taken, given = await _toggle(watch, switches, 15)
    during = [seen for begin, end in taken for seen in _within(watch.seen, begin, end)]
    between = [seen for begin, end in given for seen in _within(watch.seen, begin, end)]
    assert {seen.told for seen in during} == {switches[0].told}
    assert {seen.told for seen in between} == {"VALID"}
    assert {seen.node for seen in during} == {seen.node for seen in between} == set(range(NODES))


Spans = list[tuple[int, int]]


async def _toggle(watch: Watch, switches: list[Switch], times: int) -> tuple[Spans, Spans]:
    """When it was surely taken away, and when it was surely there: from an answer to the sending of the next change."""
    chance, taken, given = random.Random(27), Spans(), Spans()
    since = time.monotonic_ns()
    for _ in range(times):
        for change, spans in (("take", given), ("give", taken)):
            # Enough of them that every node is among them.
            await watch.until(len(watch.seen) + 20 * NODES)
            spans.append((since, time.monotonic_ns()))
            await getattr(chance.choice(switches), change)()
            since = time.monotonic_ns()
    return taken, given


def _within(seen: list[Seen], begin: int, end: int) -> list[Seen]:
    return [each for each in seen if begin < each.sent and each.answered < end]


async def test_a_gateway_token_that_was_taken_back_is_a_401_from_the_next_request_on(desk: Desk, nodes: StartNodes) -> None:
    watch = Watch([await make_key(desk.team)], nodes(NODES), desk.gateway)
    async with watch.verifying():
        await watch.until(200)
        await gateways.revoke(Actor.operator(), desk.gateway_id)
        answered = time.monotonic_ns()
        await watch.until(len(watch.seen) + 200)
    late = [seen for seen in watch.seen if seen.sent > answered]
    assert {seen.told for seen in late} == {"401"}
    assert {seen.told for seen in watch.seen if seen not in late} <= {"VALID", "401"}
    assert {seen.node for seen in late} == set(range(NODES))


async def test_a_node_that_stood_still_meanwhile_accepts_nothing_that_was_revoked(desk: Desk, nodes: StartNodes) -> None:
    watch = Watch([await make_key(desk.team, f"Key {number}") for number in range(20)], nodes(NODES), desk.gateway)
    answered: dict[int, int] = {}
    still, working = watch.nodes[0], watch.nodes[1]
    async with Program(working.port, desk.program) as program, watch.verifying():
        for turn, created in enumerate(watch.keys):
            watch.turn = turn
            await watch.until(len(watch.seen) + 100)
            waiting: list[asyncio.Task[str]] = []
            with _stopped(still), contextlib.suppress(Undecided):
                await program.change("keys/revoke", id=created.key.id, reason="OTHER")
                answered[turn] = time.monotonic_ns()
                # These wait at the door of the node that stands still, and are answered when it goes on.
                waiting += [asyncio.create_task(_code(still, desk, created)) for _ in range(5)]
                await watch.until(len(watch.seen) + 50)
            assert set(await asyncio.gather(*waiting)) <= {"REVOKED"}
            # On SQLite a node may stand still with the file's lock in its hand; then nobody was told that it was done.
            await _revoke(program, created)
            answered.setdefault(turn, time.monotonic_ns())
    _assert_refused(watch, answered)


async def _revoke(program: Program, created: Created) -> None:
    """Until it is answered."""
    while True:
        with contextlib.suppress(Undecided):
            await program.change("keys/revoke", id=created.key.id, reason="OTHER")
            return


def _assert_refused(watch: Watch, answered: dict[int, int]) -> None:
    """Nothing but REVOKED, or no verdict at all, for what began after the answer; and every node was asked."""
    late = [seen for seen in watch.seen if seen.sent > answered[seen.key]]
    assert {seen.told for seen in late} - {"503"} == {"REVOKED"}
    assert {seen.node for seen in late if seen.told == "REVOKED"} == set(range(NODES))
    assert {seen.told for seen in watch.seen} <= {"VALID", "REVOKED", "503"}


@contextlib.contextmanager
def _stopped(node: Server) -> Iterator[None]:
    assert node.process is not None
    node.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        node.process.send_signal(signal.SIGCONT)


async def _code(node: Server, desk: Desk, created: Created) -> str:
    async with Gateway(node.port, desk.gateway) as gateway:
        return str((await gateway.verify(created.secret or "", permission=ASKED)).json()["code"])


@pytest.mark.skipif(KIND != "postgres", reason="SQLite has no connections that could be ended")
async def test_connections_that_end_meanwhile_make_a_503_and_nothing_that_was_revoked_is_accepted(
    desk: Desk, nodes: StartNodes, settings: Settings
) -> None:
    watch = Watch([await make_key(desk.team, f"Key {number}") for number in range(10)], nodes(NODES), desk.gateway)
    answered: dict[int, int] = {}
    connection = await asyncpg.connect(settings.database_url)
    async with Program(watch.nodes[0].port, desk.program) as program, watch.verifying():
        for turn, created in enumerate(watch.keys):
            watch.turn = turn
            await watch.until(len(watch.seen) + 200)
            await _end_connections(connection, settings)
            await _revoke(program, created)
            answered[turn] = time.monotonic_ns()
    await connection.close()
    _assert_refused(watch, answered)


async def _end_connections(connection: asyncpg.Connection, settings: Settings) -> None:
    """Every node's; this process's own stay, which the test needs afterwards."""
    own = await connection.fetchval("SELECT pg_backend_pid()")
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> $1"
        " AND application_name = 'keydesk'",
        own,
    )
