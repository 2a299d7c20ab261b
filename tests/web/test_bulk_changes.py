"""Changing several keys at once: those in use are named and left out, each key has a result, and sending twice changes once."""

from __future__ import annotations

import html
import re

import pytest

from app import database
from app.clock import DAY
from app.keys import service as keys
from app.keys.key import ApiKey, Reason, Status
from app.rotations import service as rotations
from tests.conftest import Team, make_key, make_team
from tests.support.access import at, seen
from tests.support.callers import use
from tests.web.conftest import Browser

LIST = "/w/acme/settings/api-keys"
SECRET = re.compile(r"fl_(?:live|test)_[0-9A-Za-z]{38}")


def path(change: str, *chosen: ApiKey) -> str:
    return f"{LIST}/bulk/{change}?" + "&".join(f"key={key.id}" for key in chosen)


def selected(browser: Browser) -> dict[str, bool]:
    """The keys of the confirmation, in order, and whether each is selected."""
    found = re.findall(r'<input type="checkbox" name="key" value="(key_\w+)"( checked)?>', browser.page)
    return {key_id: bool(checked) for key_id, checked in found}


def results(browser: Browser) -> dict[str, str]:
    """The result of each key."""
    found = re.findall(r'/api-keys/(key_\w+)[^"]*"><strong.*?<span class="tag [a-z]+">(.*?)</span>', browser.page, re.DOTALL)
    return {key_id: html.unescape(words) for key_id, words in found}


async def status(team: Team, key: ApiKey) -> Status:
    return (await keys.get(team.owner, key.id)).status(await database.now())


@pytest.fixture
async def quiet(team: Team) -> ApiKey:
    return (await make_key(team, "Quiet")).key


@pytest.fixture
async def busy(team: Team) -> ApiKey:
    """A key that three callers used."""
    key = (await make_key(team, "Busy")).key
    for address in ("203.0.113.9", "198.51.100.9", "192.0.2.9"):
        await use(key.id, address)
    return key


@pytest.mark.parametrize("change", ["suspension", "revocation"])
async def test_keys_in_use_are_named_first_and_not_selected(editor: Browser, quiet: ApiKey, busy: ApiKey, change: str) -> None:
    await editor.open(path(change, quiet, busy))
    assert selected(editor) == {busy.id: False, quiet.id: True} and [*selected(editor)] == [busy.id, quiet.id]
    assert "1 key is in use:" in editor.page and "3 requests in the last day, 3 in 30 days, by 3 callers" in editor.page


@pytest.mark.parametrize("change", ["rotation", "extension"])
async def test_what_cuts_nobody_off_selects_all(editor: Browser, quiet: ApiKey, busy: ApiKey, change: str) -> None:
    await editor.open(path(change, quiet, busy))
    assert selected(editor) == {busy.id: True, quiet.id: True} and "fails at once" not in editor.page


async def test_several_keys_are_suspended_with_a_result_for_each(editor: Browser, team: Team, quiet: ApiKey, busy: ApiKey) -> None:
    over = (await make_key(team, "Over")).key
    await keys.revoke(team.owner, over.id, Reason.OTHER)
    await editor.open(path("suspension", quiet, busy, over))
    sent = editor.form(f"{LIST}/bulk/suspension").filled(key=[quiet.id, busy.id, over.id])
    for _ in range(2):
        answer = await editor.post(f"{LIST}/bulk/suspension", sent, **editor.same_origin_headers)
        assert answer.status_code == 200 and "2 of 3 keys suspended" in editor.page
        assert {key_id: words.split(" ")[0] for key_id, words in results(editor).items()} == {
            quiet.id: "Suspended", busy.id: "Suspended", over.id: "This"
        }  # fmt: skip
        assert [await status(team, key) for key in (quiet, busy, over)] == [Status.SUSPENDED] * 2 + [Status.REVOKED]


async def test_several_suspended_keys_are_resumed_and_others_stay_as_they_are(
    editor: Browser, team: Team, quiet: ApiKey, busy: ApiKey
) -> None:
    await editor.open(LIST)
    assert "/bulk/suspension" in editor.page and "/bulk/resumption" not in editor.page
    again, active = [(await make_key(team, name)).key for name in ("Again", "Active")]
    for key in (quiet, busy, again):
        await keys.suspend(team.owner, key.id)
    await editor.open(LIST)
    assert f'formaction="{LIST}/bulk/resumption">Resume</button>' in editor.page
    await editor.open(path("resumption", quiet, busy, again, active))
    assert selected(editor) == {quiet.id: True, busy.id: True, again.id: True, active.id: False}
    sent = editor.form(f"{LIST}/bulk/resumption").filled(key=[quiet.id, busy.id, again.id, active.id])
    await keys.resume(team.owner, again.id)
    await keys.suspend(team.owner, again.id)
    assert (await editor.post(f"{LIST}/bulk/resumption", sent, **editor.same_origin_headers)).status_code == 200
    assert "3 of 4 keys resumed" in editor.page
    assert results(editor) == {
        quiet.id: "Resumed",
        busy.id: "Resumed",
        again.id: "Not changed: it was suspended while this page was open",
        active.id: "Unchanged: it is not suspended",
    }
    found = [await status(team, key) for key in (quiet, busy, again, active)]
    assert found == [Status.ACTIVE, Status.ACTIVE, Status.SUSPENDED, Status.ACTIVE]


async def test_only_the_selected_keys_are_revoked_with_the_reason_and_the_note(
    editor: Browser, team: Team, quiet: ApiKey, busy: ApiKey
) -> None:
    await editor.open(path("revocation", quiet, busy))
    await editor.send(f"{LIST}/bulk/revocation", reason="MEMBER_LEFT", note="Left in November")
    assert results(editor) == {quiet.id: "Revoked"} and "1 key revoked" in editor.page
    revocation = (await keys.get(team.owner, quiet.id)).revocation
    assert revocation and (revocation.reason, revocation.note) == (Reason.MEMBER_LEFT, "Left in November")
    assert await status(team, busy) is Status.ACTIVE


async def test_a_key_that_came_into_use_meanwhile_is_left_alone(editor: Browser, team: Team, quiet: ApiKey, busy: ApiKey) -> None:
    await editor.open(path("revocation", quiet, busy))
    await use(quiet.id)
    await editor.send(f"{LIST}/bulk/revocation", reason="OTHER", key=[quiet.id, busy.id])
    assert results(editor) == {quiet.id: "Not changed: it was used while this page was open", busy.id: "Revoked"}
    assert [await status(team, key) for key in (quiet, busy)] == [Status.ACTIVE, Status.REVOKED]


async def test_each_rotated_key_shows_its_new_secret_once(editor: Browser, team: Team, quiet: ApiKey, busy: ApiKey) -> None:
    await keys.suspend(team.owner, (suspended := (await make_key(team, "Suspended")).key).id)
    await editor.open(path("rotation", quiet, busy, suspended))
    sent = editor.form(f"{LIST}/bulk/rotation").filled(days="14")
    answer = await editor.post(f"{LIST}/bulk/rotation", sent, **editor.same_origin_headers)
    assert answer.headers["cache-control"] == "no-store" and "2 of 3 keys being rotated" in editor.page
    secrets = set(SECRET.findall(editor.page))
    assert len(secrets) == 2 and "only an active key can be rotated" in results(editor)[suspended.id]
    for key in (quiet, busy):
        progress = await rotations.of_key(*await at(team.owner, key.id))
        assert progress and progress.is_open and {text for text in secrets if text.startswith(progress.successor.prefix)}
        assert 13 * DAY < progress.rotation.deadline - await database.now() <= 14 * DAY
    await editor.post(f"{LIST}/bulk/rotation", sent, **editor.same_origin_headers)
    assert not SECRET.search(editor.page) and "its new secret was shown before" in results(editor)[quiet.id]
    assert await keys.count(await seen(team.owner, team.slug)) == 5


async def test_an_extension_never_shortens_a_life(editor: Browser, team: Team, quiet: ApiKey) -> None:
    now = await database.now()
    soon = (await make_key(team, "Soon", expires_at=now + 3 * DAY)).key
    late = (await make_key(team, "Late", expires_at=now + 400 * DAY)).key
    temporary = (await make_key(team, "Temporary", environment="temporary", expires_at=now + 3 * DAY)).key
    await editor.open(path("extension", quiet, soon, late, temporary))
    await editor.send(f"{LIST}/bulk/extension", days="365")
    found = results(editor)
    assert found[quiet.id] == "Unchanged: it does not expire" and found[late.id].startswith("Unchanged: it expires on ")
    assert found[soon.id].startswith("Expires on ") and "90 days" in found[temporary.id]
    ends = [(await keys.get(team.owner, key.id)).expires_at for key in (quiet, soon, late, temporary)]
    assert ends[0] is None and ends[2:] == [late.expires_at, temporary.expires_at]
    assert ends[1] is not None and 364 * DAY < ends[1] - now < 366 * DAY


async def test_a_refused_form_keeps_the_selection(editor: Browser, team: Team, quiet: ApiKey, busy: ApiKey) -> None:
    await editor.open(path("revocation", quiet, busy))
    answer = await editor.send(f"{LIST}/bulk/revocation", key=[busy.id], note="Why")
    assert answer.status_code == 422 and 'id="reason-fault"' in editor.page and ">Why</textarea>" in editor.page
    assert selected(editor) == {busy.id: True, quiet.id: False}
    answer = await editor.send(f"{LIST}/bulk/revocation", key=[], reason="OTHER")
    assert answer.status_code == 422 and 'id="key-fault"' in editor.page
    for change in ("rotation", "extension"):
        await editor.open(path(change, quiet))
        assert (await editor.send(f"{LIST}/bulk/{change}", days="8")).status_code == 422 and 'id="days-fault"' in editor.page
    assert [await status(team, key) for key in (quiet, busy)] == [Status.ACTIVE] * 2


async def test_keys_of_another_workspace_are_neither_shown_nor_changed(editor: Browser, team: Team, quiet: ApiKey) -> None:
    other = await make_team("other")
    foreign = (await make_key(other, "Foreign")).key
    await editor.open(path("revocation", quiet, foreign))
    assert selected(editor) == {quiet.id: True}
    await editor.send(f"{LIST}/bulk/revocation", reason="OTHER", key=[quiet.id, foreign.id], offered=[quiet.id, foreign.id])
    assert [*results(editor)] == [quiet.id] and "Foreign" not in editor.page
    assert (await keys.get(other.owner, foreign.id)).status(await database.now()) is Status.ACTIVE
    for nothing in ("", "key=", f"key={foreign.id}", "key=nonsense"):
        assert (await editor.open(f"{LIST}/bulk/revocation?{nothing}")).headers["location"] == LIST


@pytest.mark.parametrize("change", ["suspension", "resumption", "revocation", "rotation", "extension"])
async def test_a_viewer_gets_neither_checkboxes_nor_forms(viewer: Browser, team: Team, quiet: ApiKey, change: str) -> None:
    await viewer.open(LIST)
    assert 'name="key"' not in viewer.page and "/bulk/" not in viewer.page
    assert (await viewer.open(path(change, quiet))).status_code == 403
