"""Real nodes on the run's database, and a workspace with everybody who asks them for something."""

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
from app.gateways import service as gateways
from app.management import service as management
from app.management.key import Asked
from app.plans import service as plans
from tests.conftest import Team
from tests.support.people import make_owner
from tests.support.server import Server
from tests.support.wire import Unanswered, Unsent, Wire

StartNodes = Callable[..., list[Server]]


@pytest.fixture
def nodes(environment: dict[str, str], tmp_path: Path) -> Iterator[StartNodes]:
    """Starts so many nodes, with these variables beside the run's; all are killed at the end."""
    with contextlib.ExitStack() as stack:
        yield lambda count, **variables: started(stack, count, environment | variables, tmp_path)


def started(stack: contextlib.ExitStack, count: int, environment: dict[str, str], folder: Path) -> list[Server]:
    """All at once, then waited for."""
    found = [Server(environment, folder) for _ in range(count)]
    for server in found:
        server.start(ready=False)
        stack.callback(server.kill)
    for server in found:
        server.wait()
    return found


async def listening(node: Server) -> None:
    """Until the node answers at all, ready or not."""
    async with asyncio.timeout(30), Wire(node.port) as wire:
        while True:
            with contextlib.suppress(Unsent, Unanswered):
                assert (await wire.send("GET", "/livez")).status == 200
                return
            await asyncio.sleep(0.05)


@dataclass(frozen=True)
class Desk:
    """A workspace whose owner has a password, a management key that may do everything, and a gateway token."""

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
    asked = Asked("CI", tuple(Scope), await database.now() + 30 * DAY)
    _, program = await management.create(owner, workspace.slug, asked)
    made = await gateways.create(Actor.operator(), f"gateway of {name}")
    return Desk(Team(workspace, owner, owner, owner), program, made.secret, made.token.id)


@pytest.fixture
async def desk(db: None) -> AsyncIterator[Desk]:
    yield await make_desk()
