"""Revoked access is refused by every verification that begins after the answer, on every node, and works again as soon as it
is given back.

Gateways verify continuously while access is revoked and given back. Each records when it sent a request and the answer; the
machine's monotonic clock shows which verifications began after an answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

import asyncpg
import pytest

from app.access.actor import Actor
from app.gateway_tokens import service as gateway_tokens
from app.keys.service import Created
from app.settings import Settings
from app.workspaces import service as workspaces
from tests.conftest import KIND, make_key
from tests.faults.conftest import Desk, StartNodes
from tests.support.http import DECIDED_WITHIN_SECONDS, Gateway, Program, Undecided, known
from tests.support.server import Server

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
    verdict: str


@dataclass
class Watch:
    """Verifies keys around index `turn` until `over`. A 503 is repeated until there is a verdict, and only the last attempt is
    recorded, unless `undecided`: then each 503 is recorded too."""

    keys: list[Created]
    nodes: list[Server]
    token: str
    around: int = AROUND
    turn: int = 0
    over: bool = False
    undecided: bool = False
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

    async def until_every_node(self, since: int) -> None:
        """Waits until every node has answered a request sent since then: a busy one may be slower than the others."""
        async with asyncio.timeout(2 * DECIDED_WITHIN_SECONDS):
            while len({seen.node for seen in self.seen if seen.sent > since}) < len(self.nodes):
                await asyncio.sleep(0.05)

    async def _verify(self, index: int, node: Server, chance: random.Random) -> None:
        async with Gateway(node.port, self.token) as gateway:
            while not self.over:
                key = min(max(self.turn + chance.randint(-self.around, self.around), 0), len(self.keys) - 1)
                if seen := await self._seen(key, index, gateway):
                    self.seen.append(seen)

    async def _seen(self, key: int, index: int, gateway: Gateway) -> Seen | None:
        """None if the time was over before there was a verdict."""
        async with asyncio.timeout(DECIDED_WITHIN_SECONDS):
            while True:
                sent = time.monotonic_ns()
                answer = await gateway.verify(self.keys[key].secret or "", permission=ASKED)
                answered = time.monotonic_ns()
                if answer.status != 503 or self.undecided:
                    return Seen(key, index, sent, answered, answer.json()["code"] if answer.status == 200 else str(answer.status))
                if self.over:
                    return None
                await asyncio.sleep(int(answer.header("retry-after") or ""))


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
            program, asked = chance.choice(programs), {"id": created.key.id, "reason": "EXPOSED_IN_LOGS"}
            revoked = await known(partial(program.change, "keys/revoke", **asked))
            answered[turn] = time.monotonic_ns()
            assert revoked["apiKey"]["status"] == "REVOKED"
        await watch.until(LEAST)
    late = [seen for seen in watch.seen if seen.sent > answered[seen.key]]
    assert {seen.verdict for seen in late} == {"REVOKED"}
    assert {seen.node for seen in late} == set(range(NODES))
    assert len(watch.seen) >= LEAST
    assert {seen.verdict for seen in watch.seen} == {"VALID", "REVOKED"}
    # A node that is slow for a moment may miss a key.
    assert sum(_overlaps(watch.seen, key) for key in answered) >= KEYS * 9 // 10


def _overlaps(seen: list[Seen], key: int) -> bool:
    """Whether the key was seen both valid and revoked; otherwise the test proves nothing about it."""
    return {each.verdict for each in seen if each.key == key} == {"VALID", "REVOKED"}


@dataclass(frozen=True)
class Switch:
    """A change that revokes access and can be undone; `verdict` is the code of verifications in between."""

    take: Callable[[], Awaitable[object]]
    give: Callable[[], Awaitable[object]]
    verdict: str


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
async def test_every_other_change_and_its_reversal_take_effect_with_the_next_verification_too(
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
    assert {seen.verdict for seen in during} == {switches[0].verdict}
    assert {seen.verdict for seen in between} == {"VALID"}
    assert {seen.node for seen in during} == {seen.node for seen in between} == set(range(NODES))


Spans = list[tuple[int, int]]


async def _toggle(watch: Watch, switches: list[Switch], times: int) -> tuple[Spans, Spans]:
    """The periods in which access was certainly revoked, and certainly given: from an answer to the sending of the next change."""
    chance, taken, given = random.Random(27), Spans(), Spans()
    since = time.monotonic_ns()
    for _ in range(times):
        for change, spans in (("take", given), ("give", taken)):
            # Enough to include every node.
            await watch.until(len(watch.seen) + 20 * NODES)
            spans.append((since, time.monotonic_ns()))
            await known(getattr(chance.choice(switches), change))
            since = time.monotonic_ns()
    return taken, given


def _within(seen: list[Seen], begin: int, end: int) -> list[Seen]:
    return [each for each in seen if begin < each.sent and each.answered < end]


async def test_a_revoked_gateway_token_is_a_401_from_the_next_request_on(desk: Desk, nodes: StartNodes) -> None:
    watch = Watch([await make_key(desk.team)], nodes(NODES), desk.gateway)
    async with watch.verifying():
        await watch.until(200)
        await known(lambda: gateway_tokens.revoke(Actor.operator(), desk.gateway_id))
        answered = time.monotonic_ns()
        await watch.until(len(watch.seen) + 200)
        await watch.until_every_node(answered)
    late = [seen for seen in watch.seen if seen.sent > answered]
    assert {seen.verdict for seen in late} == {"401"}
    assert {seen.verdict for seen in watch.seen if seen not in late} <= {"VALID", "401"}
    assert {seen.node for seen in late} == set(range(NODES))


async def test_a_node_that_was_paused_meanwhile_accepts_no_revoked_key(desk: Desk, nodes: StartNodes) -> None:
    watch = Watch([await make_key(desk.team, f"Key {number}") for number in range(20)], nodes(NODES), desk.gateway, undecided=True)
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
                # These requests wait for the paused node, and are answered when it continues.
                waiting += [asyncio.create_task(_code(still, desk, created)) for _ in range(5)]
                await watch.until(len(watch.seen) + 50)
            assert set(await asyncio.gather(*waiting)) <= {"REVOKED"}
            # On SQLite a paused node may hold the file's lock; then the revocation was not answered.
            await _revoke(program, created)
            answered.setdefault(turn, time.monotonic_ns())
    _assert_refused(watch, answered)


async def _revoke(program: Program, created: Created) -> None:
    """Revokes the key, repeating until there is an answer."""
    await known(lambda: program.change("keys/revoke", id=created.key.id, reason="OTHER"))


def _assert_refused(watch: Watch, answered: dict[int, int]) -> None:
    """Checks that requests that began after the answer got only REVOKED or no verdict, and that every node was asked."""
    late = [seen for seen in watch.seen if seen.sent > answered[seen.key]]
    assert {seen.verdict for seen in late} - {"503"} == {"REVOKED"}
    assert {seen.node for seen in late if seen.verdict == "REVOKED"} == set(range(NODES))
    assert {seen.verdict for seen in watch.seen} <= {"VALID", "REVOKED", "503"}


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
        return str((await gateway.verdict(created.secret or "", permission=ASKED)).json()["code"])


@pytest.mark.skipif(KIND != "postgres", reason="SQLite has no connections that could be ended")
async def test_connections_closed_meanwhile_cause_503s_and_no_revoked_key_is_accepted(
    desk: Desk, nodes: StartNodes, settings: Settings
) -> None:
    watch = Watch([await make_key(desk.team, f"Key {number}") for number in range(10)], nodes(NODES), desk.gateway, undecided=True)
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
    """Closes the connections of every node, but not those of this process, which the test needs afterwards."""
    own = await connection.fetchval("SELECT pg_backend_pid()")
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> $1"
        " AND application_name = 'keydesk'",
        own,
    )
