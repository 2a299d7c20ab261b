"""“Key leaked”: who used a key, which callers are new, and its two ways out."""

from __future__ import annotations

import re

from app import database
from app.access.actor import Actor
from app.alerts import service as alerts
from app.clock import DAY, HOUR, MINUTE, to_datetime
from app.keys import service as keys
from app.keys.key import Reason, Status
from app.leaks import service as leaks
from app.rotations import service as rotations
from app.rotations.rotation import OnDeadline
from tests.conftest import Team, make_key
from tests.support.access import seen
from tests.support.callers import use
from tests.web.conftest import Browser

LIST = "/w/acme/settings/api-keys"


def rows(page: str) -> list[tuple[str, bool]]:
    """The network of each caller, and whether it is marked as new."""
    found = re.findall(r"<tr><td><span class=\"name.*?</tr>", page, re.S)
    return [(re.search(r"<code>(.*?)</code>", row).group(1), "new since then" in row) for row in found]  # type: ignore[union-attr]


async def test_callers_that_were_never_seen_before_the_suspected_time_are_marked_and_come_first(
    editor: Browser, team: Team
) -> None:
    key = (await make_key(team)).key
    now = await database.now()
    for network, at in (("203.0.113.9", now - 3 * DAY), ("198.51.100.7", now - HOUR), ("203.0.113.9", now - MINUTE)):
        await use(key.id, network, at=at, permission="pdf.read")
    await editor.open(f"{LIST}/{key.id}/leak")
    assert rows(editor.page) == [("203.0.113.0/24", False), ("198.51.100.0/24", False)]
    suspected = f"{to_datetime(now - DAY):%Y-%m-%dT%H:%M}"
    await editor.send(f"{LIST}/{key.id}/leak", suspected=suspected)
    assert rows(editor.page) == [("198.51.100.0/24", True), ("203.0.113.0/24", False)]
    assert "1 caller never seen before" in editor.page and suspected in editor.page
    await editor.open(f"{LIST}/{key.id}/leak?suspected={to_datetime(now):%Y-%m-%dT%H:%M}")
    assert "Every caller was seen before" in editor.page
    answer = await editor.open(f"{LIST}/{key.id}/leak?suspected=yesterday")
    assert answer.status_code == 422 and 'id="suspected-fault"' in answer.text


async def test_revoking_there_takes_one_of_the_five_reasons_and_needs_the_prefix_of_a_key_in_use(
    editor: Browser, team: Team
) -> None:
    key = (await make_key(team)).key
    await use(key.id)
    await editor.open(f"{LIST}/{key.id}/leak")
    offered = re.findall(r'name="reason" value="(\w+)"', editor.page)
    assert offered == [
        "COMMITTED_TO_REPOSITORY", "EXPOSED_IN_LOGS", "SHARED_INSECURELY", "SUSPICIOUS_ACTIVITY", "MEMBER_LEFT"
    ]  # fmt: skip
    path = f"{LIST}/{key.id}/revocation"
    assert (await editor.send(path, reason="EXPOSED_IN_LOGS", note="in the log of May")).status_code == 422
    assert (await editor.send(path, prefix=key.prefix)).status_code == 303
    revoked = (await keys.get(team.owner, key.id)).revocation
    assert revoked is not None and (revoked.reason, revoked.note) == (Reason.EXPOSED_IN_LOGS, "in the log of May")
    await editor.follow()
    assert f'href="{LIST}/{key.id}/leak"' in editor.page
    answer = await editor.open(f"{LIST}/{key.id}/leak")
    assert answer.status_code == 200 and "What to check next" in answer.text and "/revocation" not in answer.text


async def test_replacing_there_shows_a_new_key_and_revokes_the_leaked_one_after_minutes(editor: Browser, team: Team) -> None:
    key = (await make_key(team)).key
    for wrong in ("1", "20160", "x", ""):
        await editor.open(f"{LIST}/{key.id}/leak")
        assert (await editor.send(f"{LIST}/{key.id}/rotation", minutes=wrong)).status_code == 422
    await editor.open(f"{LIST}/{key.id}/leak")
    before = await database.now()
    made = await editor.send(f"{LIST}/{key.id}/rotation", minutes="60")
    assert made.status_code == 201 and "data-secret" in made.text
    (run,) = await rotations.open_rotations(await seen(team.owner, team.slug))
    assert run.predecessor.id == key.id and run.rotation.on_deadline is OnDeadline.REVOKE
    assert before + 55 * MINUTE <= run.rotation.deadline <= await database.now() + 60 * MINUTE
    await editor.open(f"{LIST}/{key.id}/leak")
    assert "It is already being rotated" in editor.page and 'name="minutes"' not in editor.page


async def test_a_suspended_key_can_only_be_revoked_and_a_viewer_only_looks(editor: Browser, viewer: Browser, team: Team) -> None:
    key = (await make_key(team)).key
    await viewer.open(f"{LIST}/{key.id}/leak")
    assert "Callers" in viewer.page and not re.search(r'action="[^"]*/(revocation|rotation)"', viewer.page)
    assert "/leak" not in (await viewer.open(f"{LIST}/{key.id}")).text
    await keys.suspend(team.owner, key.id)
    await editor.open(f"{LIST}/{key.id}/leak")
    assert f'action="{LIST}/{key.id}/revocation"' in editor.page and 'name="minutes"' not in editor.page


async def test_the_keys_page_and_its_revocation_lead_there(editor: Browser, team: Team) -> None:
    key = (await make_key(team)).key
    for path in (f"{LIST}/{key.id}", f"{LIST}/{key.id}/revocation"):
        await editor.open(path)
        assert f'href="{LIST}/{key.id}/leak"' in editor.page
    await keys.revoke(team.owner, key.id, Reason.NO_LONGER_NEEDED)
    await editor.open(f"{LIST}/{key.id}")
    assert f'href="{LIST}/{key.id}/leak"' not in editor.page


async def test_the_alert_about_a_reported_key_leads_there(editor: Browser, team: Team) -> None:
    made = await make_key(team)
    await leaks.report([leaks.Match(made.secret or "", "https://github.com/a/b")], ())
    assert (await keys.get(Actor.operator(), made.key.id)).status(await database.now()) is Status.REVOKED
    await alerts.run(await database.now())
    await editor.open("/w/acme/alerts")
    assert f'href="{LIST}/{made.key.id}/leak"' in editor.page and "reported as leaked" in editor.page


async def test_another_workspaces_key_answers_like_one_that_does_not_exist(owner: Browser, other_team: Team) -> None:
    theirs = (await make_key(other_team)).key.id
    assert [(await owner.open(f"{LIST}/{each}/leak")).status_code for each in (theirs, "key_aaaaaaaaaaaaaaaaaaaa")] == [404, 404]
