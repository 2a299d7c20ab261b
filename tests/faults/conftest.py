"""Real nodes on the test run's database, and a workspace with all kinds of callers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from app import database
from app.access.actor import Actor, Scope
from app.clock import DAY
from app.gateway_tokens import service as gateway_tokens
from app.management_keys import service as management_keys
from app.management_keys.management_key import ManagementKeyInput
from app.plans import service as plans
from tests.conftest import Team
from tests.support.http import DECIDED_WITHIN_SECONDS, PAUSE_SECONDS, Answer, Unanswered, Unsent, Wire
from tests.support.server import Server
from tests.support.users import make_owner

StartNodes = Callable[..., list[Server]]


@pytest.fixture
def nodes(environment: dict[str, str], tmp_path: Path) -> Iterator[StartNodes]:
    """Starts so many nodes, with these additional variables; kills all of them at the end."""
    with contextlib.ExitStack() as stack:
        yield lambda count, **variables: started(stack, count, environment | variables, tmp_path)


def started(stack: contextlib.ExitStack, count: int, environment: dict[str, str], folder: Path) -> list[Server]:
    """Starts all nodes together, then waits for them."""
    found = [Server(environment, folder) for _ in range(count)]
    for server in found:
        server.start(ready=False)
        stack.callback(server.kill)
    for server in found:
        server.wait()
    return found


async def listening(node: Server) -> None:
    """Waits until the node answers, ready or not."""
    async with asyncio.timeout(30), Wire(node.port) as wire:
        while True:
            with contextlib.suppress(Unsent, Unanswered):
                assert (await wire.send("GET", "/livez")).status == 200
                return
            await asyncio.sleep(0.05)


def _is_starting(faults: dict[str, str]) -> bool:
    return faults.get("node") == "starting"


async def readiness(wire: Wire) -> Answer:
    """The node's readiness, asked again for up to a minute while it starts or the database is at fault: on a busy machine a check
    of it may take too long."""
    async with asyncio.timeout(DECIDED_WITHIN_SECONDS):
        while "database" in (faults := (answer := await wire.send("GET", "/readyz")).json()["faults"]) or _is_starting(faults):
            await asyncio.sleep(PAUSE_SECONDS)
        return answer


@dataclass(frozen=True)
class Desk:
    """A workspace whose owner has a password, a management key with all scopes, and a gateway token."""

    team: Team
    program: str
    gateway: str
    gateway_id: str

    @property
    def slug(self) -> str:
        return self.team.slug

    @property
    def workspace(self) -> str:
        return self.team.workspace.id


async def make_desk(plan: str = "scale_enterprise", email: str = "ann@example.org", name: str = "Acme") -> Desk:
    user, workspace = await make_owner(email, "Ann", name)
    await plans.change_plan(Actor.operator(), workspace.slug, plan)
    owner = Actor.user(user.id, user.name, authenticated_at=await database.now())
    asked = ManagementKeyInput("CI", tuple(Scope), await database.now() + 30 * DAY)
    _, program = await management_keys.create(owner, workspace.slug, asked)
    made = await gateway_tokens.create(Actor.operator(), f"gateway of {name}")
    return Desk(Team(workspace, owner, owner, owner), program, made.secret, made.token.id)


@pytest.fixture
async def desk(db: None) -> AsyncIterator[Desk]:
    yield await make_desk()
