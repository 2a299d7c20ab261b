"""Concurrent repeats of a request for a key over two nodes, one of which is killed: one key, and one valid secret."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from tests.faults.conftest import Desk, StartNodes
from tests.support.http import Program, Unanswered, Undecided, Unsent, known
from tests.support.server import Server

pytestmark = pytest.mark.slow
REPEATS, ROUNDS = 50, 4
ASKED: dict[str, Any] = {"environment": "production", "permissions": ["pdf.read"]}
FOUND = "{ workspace { apiKeys { totalCount } } }"


async def test_fifty_repeats_over_two_nodes_create_one_key_and_return_one_secret(desk: Desk, nodes: StartNodes) -> None:
    ports = [node.port for node in nodes(2)]
    answers = await asyncio.gather(*(_create_known(ports[number % 2], desk, "One") for number in range(REPEATS)))
    assert len({answer["apiKey"]["id"] for answer in answers}) == 1
    (secret,) = [answer["secret"] for answer in answers if answer["secret"]]
    assert await _verdict(ports[1], desk, secret) == "VALID"
    async with Program(ports[0], desk.program) as program:
        other = await known(lambda: program.change("keys/create", name="Another", idempotencyKey="create One", **ASKED))
        assert other["code"] == "CONFLICT"
        assert (await program.ask(FOUND))["workspace"]["apiKeys"]["totalCount"] == 1


async def test_a_node_killed_during_fifty_repeats_leaves_one_key_whose_lost_secret_is_replaced(
    desk: Desk, nodes: StartNodes
) -> None:
    first, other = nodes(2)
    chance = random.Random(7)
    for number in range(1, ROUNDS + 1):
        name = f"Round {number}"
        work = [_create((first.port, other.port)[each % 2], desk, name) for each in range(REPEATS)]
        *answers, _ = await asyncio.gather(*work, _kill(first, chance.uniform(0.0, 0.15)))
        answers.append(await _create_known(other.port, desk, name))
        await asyncio.to_thread(first.start)
        found = [answer for answer in answers if answer is not None]
        (key,) = {answer["apiKey"]["id"] for answer in found}
        told = [answer["secret"] for answer in found if answer["secret"]]
        assert len(told) <= 1
        async with Program(other.port, desk.program) as program:
            if not told:
                # The only answer with the secret was lost with the killed node.
                told = [(await known(lambda key=key: program.change("keys/replace-unused", id=key)))["secret"]]  # type: ignore[misc]
            living = await program.ask("{ workspace { apiKeys(filter: {status: [ACTIVE]}) { totalCount } } }")
        assert living["workspace"]["apiKeys"]["totalCount"] == number
        assert await _verdict(other.port, desk, told[0]) == "VALID"


async def _create(port: int, desk: Desk, name: str) -> Any:
    """Returns the payload; None if the node gave no answer."""
    try:
        async with Program(port, desk.program) as program:
            return await program.change("keys/create", name=name, idempotencyKey=f"create {name}", **ASKED)
    except (Unanswered, Unsent, Undecided):
        return None


async def _create_known(port: int, desk: Desk, name: str) -> Any:
    """Returns the payload, repeating while the node is too busy to give one."""
    async with Program(port, desk.program) as program:
        return await known(lambda: program.change("keys/create", name=name, idempotencyKey=f"create {name}", **ASKED))


async def _kill(node: Server, after: float) -> None:
    await asyncio.sleep(after)
    await asyncio.to_thread(node.kill)


async def _verdict(port: int, desk: Desk, secret: str) -> str:
    async with Program(port, desk.program) as program:
        return str((await known(lambda: program.change("keys/verify", key=secret)))["code"])
