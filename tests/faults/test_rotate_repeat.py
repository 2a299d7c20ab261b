"""A rotation that many repeat at once, over two nodes of which one is killed: one run, and one secret that lives."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from tests.conftest import make_key
from tests.faults.conftest import Desk, StartNodes
from tests.support.server import Server
from tests.support.wire import Program, Unanswered, Undecided, Unsent

pytestmark = pytest.mark.slow
REPEATS, ROUNDS = 30, 4


async def test_thirty_repeats_over_two_nodes_make_one_successor_and_tell_one_secret(desk: Desk, nodes: StartNodes) -> None:
    ports = [node.port for node in nodes(2)]
    key = (await make_key(desk.team)).key.id
    answers = await asyncio.gather(*(_rotate(ports[number % 2], desk, key) for number in range(REPEATS)))
    found = [answer for answer in answers if answer is not None]
    assert len(found) == REPEATS
    (secret,) = {answer["secret"] for answer in found} - {None}
    assert len([answer for answer in found if answer["secret"]]) == 1
    assert len({(answer["rotation"]["id"], answer["apiKey"]["id"]) for answer in found}) == 1
    assert await _verdict(ports[0], desk, secret) == "VALID"


async def test_a_node_killed_under_thirty_repeats_leaves_one_run_whose_told_secret_lives(desk: Desk, nodes: StartNodes) -> None:
    first, other = nodes(2)
    chance = random.Random(7)
    for _ in range(ROUNDS):
        key = (await make_key(desk.team)).key.id
        work = [_rotate((first.port, other.port)[number % 2], desk, key) for number in range(REPEATS)]
        *answers, _ = await asyncio.gather(*work, _kill(first, chance.uniform(0.0, 0.15)))
        answers.append(await _rotate(other.port, desk, key))
        found = [answer for answer in answers if answer is not None]
        assert len({(answer["rotation"]["id"], answer["apiKey"]["id"]) for answer in found}) == 1
        told = [answer["secret"] for answer in found if answer["secret"]]
        assert len(told) <= 1
        if not told:
            # The killed node took the only answer with it; saying so brings another secret, at once.
            told = [(await _rotate(other.port, desk, key, replaceUnused=True) or {})["secret"]]
        assert await _verdict(other.port, desk, told[0]) == "VALID"


async def _rotate(port: int, desk: Desk, key: str, **given: Any) -> Any:
    """The payload; None when the node gave no answer."""
    try:
        async with Program(port, desk.program) as program:
            return await program.change("rotations/start", id=key, idempotencyKey=f"deploy {key}", **given)
    except (Unanswered, Unsent, Undecided):
        return None


async def _kill(node: Server, after: float) -> None:
    await asyncio.sleep(after)
    await asyncio.to_thread(node.kill)
    await asyncio.to_thread(node.start)


async def _verdict(port: int, desk: Desk, secret: str) -> str:
    async with Program(port, desk.program) as program:
        return str((await program.change("keys/verify", key=secret))["code"])
