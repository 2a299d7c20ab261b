"""The number of statements for a page or a change: nothing is looked up twice, and the number must not grow."""

from __future__ import annotations

import pytest

from app.rotations import service as rotations
from app.rotations.rotation import Progress, State
from tests.conftest import Team, make_key
from tests.support.access import at
from tests.support.callers import use
from tests.support.statements import counted
from tests.web.conftest import Browser

KEYS = "/w/acme/settings/api-keys"


@pytest.fixture
async def busy(team: Team) -> Progress:
    """A rotation whose keys have both been used."""
    started = (await rotations.start(team.owner, (await make_key(team)).key.id)).progress
    for key in (started.predecessor, started.successor):
        await use(key.id)
    found = await rotations.of_key(*await at(team.owner, started.predecessor.id))
    assert found is not None and found.callers
    return found


async def around(browser: Browser) -> int:
    """The number of statements common to every page: session, the reader's workspaces, open alerts, and clock."""
    with counted() as seen:
        await browser.open(f"{KEYS}/nothing")
    return len(seen)


async def test_the_page_of_a_key_with_everything_on_it(owner: Browser, busy: Progress) -> None:
    others = await around(owner)
    # The first time on a day stores that somebody looked.
    await owner.open(f"{KEYS}/{busy.predecessor.id}")
    with counted() as seen:
        await owner.open(f"{KEYS}/{busy.predecessor.id}")
    assert busy.predecessor.name in owner.page and "curl" in owner.page
    assert len(seen) - others <= 15, seen


async def test_revoking_a_key_by_the_form(owner: Browser, busy: Progress) -> None:
    address = f"{KEYS}/{busy.predecessor.id}/revocation"
    others = await around(owner)
    with counted() as seen:
        await owner.open(address)
    assert len(seen) - others <= 3, seen
    with counted() as seen:
        answer = await owner.send(address, reason="EXPOSED_IN_LOGS", prefix=busy.predecessor.prefix)
    assert answer.status_code == 303
    assert len(seen) - others <= 9, seen


async def test_completing_a_rotation(team: Team, busy: Progress) -> None:
    with counted() as seen:
        done = await rotations.complete(team.owner, busy.rotation.id, force=True)
    assert done.state is State.COMPLETED
    assert done == await rotations.get(team.owner, busy.rotation.id)
    assert len(seen) <= 14, seen
