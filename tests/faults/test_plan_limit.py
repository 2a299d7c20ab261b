"""Under any concurrency, through every endpoint and node: a plan of five allows five keys."""

from __future__ import annotations

import asyncio
import collections
from typing import Any

import pytest

from app import database
from app.audit import service as audit
from tests.conftest import unique
from tests.faults.conftest import Desk, StartNodes, make_desk
from tests.support.http import DECIDED_WITHIN_SECONDS, PAUSE_SECONDS, Program, known
from tests.support.users import PASSWORD
from tests.support.visitor import Visitor

LIMIT, ROUNDS = 5, 2
SINGLE, DOCUMENTS, ALIASES, FORMS = 110, 10, 5, 40
NEW: dict[str, Any] = {"environment": "production", "permissions": ["pdf.read"]}
USED = "query ($slug: String) { workspace(slug: $slug) { apiKeyLimit { limit used remaining } apiKeys { totalCount } } }"


@pytest.mark.slow
async def test_of_200_concurrent_creations_over_two_nodes_a_plan_of_5_allows_5(db: None, nodes: StartNodes) -> None:
    desk = await make_desk(plan="growth")
    ports = [node.port for node in nodes(2)]
    for number in range(1, ROUNDS + 1):
        outcomes = await _two_hundred(desk, ports)
        assert outcomes == {"CreateApiKeyPayload": LIMIT, "PlanLimitReached": 195}
        assert await _keys(desk) == LIMIT
        assert (await _entries(desk))["key.created"] == LIMIT * number
        async with Program(ports[0], desk.program) as program:
            found = (await program.ask(USED, slug=desk.slug))["workspace"]
            assert found["apiKeyLimit"] == {"limit": LIMIT, "used": LIMIT, "remaining": 0}
            assert found["apiKeys"]["totalCount"] == LIMIT * number
            await _revoke_all(program, desk)
    assert await audit.first_broken(desk.workspace) is None


@pytest.mark.slow
async def test_a_slot_freed_meanwhile_is_taken_once(db: None, nodes: StartNodes) -> None:
    desk = await make_desk(plan="growth")
    ports = [node.port for node in nodes(2)]
    async with Program(ports[0], desk.program) as program:
        made = [await program.change("keys/create", name=f"Key {number}", **NEW) for number in range(LIMIT)]
        creates = [_single(port, desk, f"{port} {number}") for port in ports for number in range(30)]
        revoked = program.change("keys/revoke", id=made[0]["apiKey"]["id"], reason="OTHER")
        outcomes, _ = await asyncio.gather(asyncio.gather(*creates), revoked)
        # At most one creation gets the freed slot; if none did, a later one gets it.
        assert collections.Counter(kind for each in outcomes for kind in each)["CreateApiKeyPayload"] <= 1
        await program.change("keys/create", name="The last", **NEW)
    assert await _keys(desk) == LIMIT
    assert await audit.first_broken(desk.workspace) is None


async def _two_hundred(desk: Desk, ports: list[int]) -> dict[str, int]:
    """The results of 200 creations, by the type of the answer."""
    async with Visitor(f"http://127.0.0.1:{ports[0]}") as one, Visitor(f"http://127.0.0.1:{ports[1]}") as other:
        for visitor in (one, other):
            await visitor.sign_in("ann@example.org", PASSWORD)
            await visitor.get(f"/w/{desk.slug}/settings/api-keys/new")
        asked = [
            *(_single(ports[number % 2], desk, str(number)) for number in range(SINGLE)),
            *(_aliased(ports[number % 2], desk, number) for number in range(DOCUMENTS)),
            *(_form((one, other)[number % 2], desk, number) for number in range(FORMS)),
        ]
        answers = await asyncio.gather(*asked)
    return dict(collections.Counter(kind for each in answers for kind in each))


async def _single(port: int, desk: Desk, name: str) -> list[str]:
    query = "mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) { __typename } }"
    async with Program(port, desk.program) as program:
        answer = await known(lambda: program.ask(query, input={"name": f"single {name}", **NEW}))
    return [answer["createApiKey"]["__typename"]]


async def _aliased(port: int, desk: Desk, number: int) -> list[str]:
    names = [f"a{index}" for index in range(ALIASES)]
    declared = ", ".join(f"${name}: CreateApiKeyInput!" for name in names)
    fields = " ".join(f"{name}: createApiKey(input: ${name}) {{ __typename }}" for name in names)
    inputs = {name: {"name": f"alias {number} {name}", **NEW} for name in names}
    async with Program(port, desk.program) as program:
        body = {"query": f"mutation ({declared}) {{ {fields} }}", "variables": inputs}
        answer = (await program.post("/graphql", body, token=desk.program)).json()
        assert {error["extensions"]["code"] for error in answer.get("errors", [])} <= {"UNAVAILABLE"}, answer
        results = answer.get("data") or dict.fromkeys(names)
    # Results that are known must not be asked for again, so each of the others is repeated alone.
    known_kinds = [result["__typename"] for result in results.values() if result]
    unknown = [name for name, result in results.items() if not result]
    return known_kinds + [kind for name in unknown for kind in await _single(port, desk, f"alias {number} {name}")]


async def _form(visitor: Visitor, desk: Desk, number: int) -> list[str]:
    fields = {"name": f"form {number}", "once": unique("form"), "confirmed": "yes"} | NEW
    async with asyncio.timeout(DECIDED_WITHIN_SECONDS):
        # A repeated form creates no second key.
        while (answer := await visitor.post(f"/w/{desk.slug}/settings/api-keys/new", **fields)).status_code == 503:
            await asyncio.sleep(PAUSE_SECONDS)
    return [{201: "CreateApiKeyPayload", 409: "PlanLimitReached"}.get(answer.status_code, f"{answer.status_code} {answer.text}")]


async def _keys(desk: Desk) -> int:
    (row,) = await database.fetch("SELECT count(*) AS n FROM api_key WHERE workspace = {} AND revoked_at IS NULL", desk.workspace)
    return int(row["n"])


async def _entries(desk: Desk) -> dict[str, int]:
    rows = await database.fetch("SELECT action, count(*) AS n FROM audit_entry WHERE chain = {} GROUP BY action", desk.workspace)
    return {row["action"]: int(row["n"]) for row in rows}


async def _revoke_all(program: Program, desk: Desk) -> None:
    for row in await database.fetch("SELECT id FROM api_key WHERE workspace = {} AND revoked_at IS NULL", desk.workspace):
        answer = await program.change("keys/revoke", id=row["id"], reason="OTHER")
        assert answer["apiKey"]["status"] == "REVOKED"
