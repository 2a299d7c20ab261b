"""The number of statements for a page or a change: nothing is looked up twice, and the number must not grow."""

from __future__ import annotations

import html
import re

import pytest

from app import database
from app.alerts import service as alerts
from app.alerts.alert import Kind, Resolution
from app.keys import service as keys
from app.rotations import service as rotations
from app.rotations.rotation import Progress, State
from tests.conftest import Team, make_key
from tests.support.access import at
from tests.support.alerts import raise_alert
from tests.support.callers import use
from tests.support.statements import counted
from tests.web.conftest import Browser

KEYS = "/w/acme/settings/api-keys"
KEY_PAGE, REVOCATION_FORM, COMPLETION = 12, 9, 14


@pytest.fixture
async def busy(team: Team) -> Progress:
    """A rotation whose keys have both been used, the third of its line after a cancelled one; with a dismissed caller, an alert
    and something expected."""
    first = (await rotations.start(team.owner, (await make_key(team)).key.id)).progress
    key = (await rotations.complete(team.owner, first.rotation.id, force=True)).successor
    await rotations.cancel(team.owner, (await rotations.start(team.owner, key.id)).progress.rotation.id)
    started = (await rotations.start(team.owner, key.id)).progress
    for each in (started.predecessor, started.successor):
        await use(each.id)
    await use(key.id, user_agent="wget/1.24")
    await raise_alert(key)
    await alerts.set_expected(team.owner, key.id, Kind.FAILURE_SPIKE, expected=True)
    found = await rotations.of_key(*await at(team.owner, key.id))
    assert found is not None
    (moving,) = (each for each in found.callers if each.caller.user_agent == "wget")
    return await rotations.dismiss(team.owner, found.rotation.id, moving.caller.id)


async def around(browser: Browser) -> int:
    """The number of statements common to every page: session, the reader's workspaces with the time, and open alerts."""
    with counted() as seen:
        await browser.open(f"{KEYS}/nothing")
    assert len(seen) == 3, seen
    return len(seen)


def address_of_polls(page: str) -> str:
    (address,) = re.findall(r'hx-get="([^"]+[?&]poll=[^"]+)"', html.unescape(page))
    return str(address)


async def test_the_page_of_a_key_with_everything_on_it(owner: Browser, busy: Progress) -> None:
    others = await around(owner)
    # The first time on a day also stores that a user looked.
    for most in (KEY_PAGE, KEY_PAGE - 1):
        with counted() as seen:
            await owner.open(f"{KEYS}/{busy.predecessor.id}")
        for text in (busy.predecessor.name, "wget", "1 open alert", "This key is being rotated", "Turn on: ", ">Activity<"):
            assert text in owner.page, text
        assert owner.page.count("(this key)") == 1 and owner.page.count("…</code></a>") == 2
        assert len(seen) - others == most, seen


async def test_the_page_of_a_suspended_key_needs_no_more(team: Team, owner: Browser, busy: Progress) -> None:
    await keys.suspend(team.owner, busy.predecessor.id)
    others = await around(owner)
    with counted() as seen:
        await owner.open(f"{KEYS}/{busy.predecessor.id}")
    assert "1 open alert" in owner.page and "Suspended" in owner.page
    assert len(seen) - others == KEY_PAGE, seen


async def test_the_page_of_a_key_whose_only_rotation_was_cancelled(owner: Browser, team: Team) -> None:
    started = (await rotations.start(team.owner, (await make_key(team)).key.id)).progress
    await use(started.predecessor.id)
    await rotations.cancel(team.owner, started.rotation.id)
    others = await around(owner)
    for key in (started.predecessor, started.successor):
        with counted() as seen:
            await owner.open(f"{KEYS}/{key.id}")
        assert key.prefix in owner.page
        assert len(seen) - others <= KEY_PAGE, seen


async def test_an_open_page_of_a_key_asks_for_no_more_than_the_page(owner: Browser, busy: Progress) -> None:
    now = await database.now()
    database.freeze(now)
    await owner.open(f"{KEYS}/{busy.predecessor.id}")
    address, headers = address_of_polls(owner.page), {"hx-request": "true", "hx-target": "div#live"}
    with counted() as seen:
        assert (await owner.open(address, **headers)).status_code == 204
    # The session, the workspaces; the key, its open alerts, its counts.
    assert len(seen) == 5, seen
    await use(busy.predecessor.id)
    with counted() as seen:
        assert (await owner.open(address, **headers)).status_code == 200
    # As the page, without the number of open alerts beside the navigation, and without storing that a user looked; but with the
    # counts that have shown that something changed.
    assert len(seen) == 2 + KEY_PAGE - 2 + 1, seen


async def test_revoking_a_key_by_the_form(owner: Browser, busy: Progress) -> None:
    address = f"{KEYS}/{busy.predecessor.id}/revocation"
    others = await around(owner)
    with counted() as seen:
        await owner.open(address)
    assert len(seen) - others <= 3, seen
    with counted() as seen:
        answer = await owner.send(address, reason="EXPOSED_IN_LOGS", prefix=busy.predecessor.prefix)
    assert answer.status_code == 303
    assert len(seen) - others <= REVOCATION_FORM, seen


async def test_what_to_do_about_a_leak_reads_the_callers_once(owner: Browser, busy: Progress) -> None:
    others = await around(owner)
    with counted() as seen:
        await owner.open(f"{KEYS}/{busy.predecessor.id}/leak")
    assert "wget" in owner.page
    # The key, its line, the keys of that, their callers, those dismissed, and the sums.
    assert len(seen) - others == 6, seen


async def test_resolving_an_alert_reads_it_once(team: Team) -> None:
    key = (await make_key(team)).key
    alert_id = await raise_alert(key)
    with counted() as seen:
        resolved = await alerts.resolve(team.owner, alert_id, Resolution.HANDLED)
    assert resolved == await alerts.get(team.owner, alert_id)
    # Its workspace, the lock, the role, the alert, its key; the alert, its entry, the head of the chain.
    assert len(seen) == 8, seen


async def test_completing_a_rotation(team: Team, busy: Progress) -> None:
    with counted() as seen:
        done = await rotations.complete(team.owner, busy.rotation.id, force=True)
    assert done.state is State.COMPLETED
    assert done == await rotations.get(team.owner, busy.rotation.id)
    assert len(seen) <= COMPLETION, seen
