"""The members' page: roles and rights, password confirmation, the last owner, and the effects of a removal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from app import database
from app.access.actor import Actor, Role
from app.clock import DAY
from app.management_keys import service as management_keys
from app.management_keys.management_key import ManagementKeyInput, Status
from app.members import service as members
from app.sessions import service as sessions
from tests.conftest import Team
from tests.support.access import seen
from tests.support.users import PASSWORD, make_owner
from tests.web.conftest import Browser, later, rows, signed_in

PATH = "/w/acme/settings/members"


async def role_of(team: Team, actor: Actor) -> str | None:
    return next(
        (str(each.role) for each in await members.members(await seen(team.owner, team.slug)) if each.user.id == actor.id), None
    )


async def key_of(maker: Actor, name: str) -> str:
    asked = ManagementKeyInput(name, ("keys.read",), await database.now() + 30 * DAY)
    return (await management_keys.create(maker, "acme", asked))[0].id


async def test_the_page_shows_only_allowed_actions(owner: Browser, editor: Browser, viewer: Browser, team: Team) -> None:
    await members.invite(team.owner, team.slug, "bo@example.org", Role.VIEWER)
    for browser in (owner, editor, viewer):
        await browser.open(PATH)
        assert "bo@example.org" in browser.page and "Editor of acme" in browser.page and ">Leave workspace<" in browser.page
    for word in ("Invite a member", ">Withdraw invitation<", ">Remove<", "newRole"):
        assert word in owner.page
        assert word not in editor.page + viewer.page


@pytest.mark.parametrize("who", ["editor", "viewer"])
async def test_an_action_that_is_not_allowed_is_refused_if_it_is_sent_anyway(
    editor: Browser, viewer: Browser, team: Team, who: str
) -> None:
    browser = {"editor": editor, "viewer": viewer}[who]
    await browser.open(PATH)
    csrf = {"csrf": dict(browser.form("/sign-out").values)["csrf"]}
    sent = {
        PATH: {"email": "bo@example.org", "role": "owner"},
        f"{PATH}/{team.viewer.id}/role": {"newRole": "owner"},
        f"{PATH}/{team.owner.id}/removal": {},
        "/w/acme/settings/plan/free": {},
        "/w/acme/settings/workspace": {"name": "Mine", "timezone": "UTC"},
    }
    for path, fields in sent.items():
        assert (await browser.post(path, csrf | fields, **browser.same_origin_headers)).status_code == 403, path
    assert [await role_of(team, each) for each in (team.owner, team.editor, team.viewer)] == ["owner", "editor", "viewer"]


async def test_a_member_of_another_workspace_gets_not_found(browse: Callable[..., Browser], team: Team, other_team: Team) -> None:
    stranger = await signed_in(browse(), other_team.owner)
    for path in ("", "/settings/members", "/settings/plan", "/settings/workspace", "/settings/audit-log"):
        theirs, nowhere = await stranger.open(f"/w/acme{path}"), await stranger.open(f"/w/xacme{path}")
        assert theirs.status_code == nowhere.status_code == 404
        assert theirs.text == nowhere.text
    mine, unknown = f"/w/rival/settings/members/{team.viewer.id}/removal", "/w/rival/settings/members/usr_x/removal"
    assert (await stranger.open(mine)).status_code == (await stranger.open(unknown)).status_code == 404


async def test_a_changed_role_takes_effect_with_the_next_request(owner: Browser, editor: Browser, team: Team) -> None:
    await owner.open(PATH)
    assert (await owner.send(f"{PATH}/{team.editor.id}/role", newRole="viewer")).status_code == 303
    assert await role_of(team, team.editor) == "viewer"
    await editor.open("/w/acme/settings/api-keys/new")
    assert "Only editors and owners can create keys" in editor.page


async def test_the_last_owner_stays_owner_and_sees_why(owner: Browser, team: Team) -> None:
    await owner.open(PATH)
    answer = await owner.send(f"{PATH}/{team.owner.id}/role", newRole="viewer")
    assert answer.status_code == 409
    assert "the last owner" in owner.page
    path = f"{PATH}/{team.owner.id}/removal"
    await owner.open(path)
    assert "You are the only owner of Acme" in owner.page and f'action="{path}"' not in owner.page
    csrf = {"csrf": dict(owner.form("/sign-out").values)["csrf"]}
    assert (await owner.post(path, csrf, **owner.same_origin_headers)).status_code == 409
    assert await role_of(team, team.owner) == "owner"


async def test_two_owners_who_demote_each_other_leave_one(browse: Callable[..., Browser], owner: Browser, team: Team) -> None:
    await members.change_role(team.owner, team.slug, team.editor.id, Role.OWNER)
    second = await signed_in(browse(), team.editor)
    for browser in (owner, second):
        await browser.open(PATH)
    await asyncio.gather(
        owner.send(f"{PATH}/{team.editor.id}/role", newRole="viewer"), second.send(f"{PATH}/{team.owner.id}/role", newRole="viewer")
    )
    roles = [str(each.role) for each in await members.members(await seen(Actor.operator(), team.slug))]
    assert roles.count("owner") == 1


async def test_a_member_is_invited_once_and_a_wrong_address_is_reported_at_its_field(owner: Browser, team: Team) -> None:
    await owner.open(PATH)
    for email, status in (("editor@acme.example", 409), ("no address", 422), ("", 422)):
        assert (await owner.send(PATH, email=email, role="editor")).status_code == status
        assert 'id="email-fault"' in owner.page
        held = dict(owner.form(PATH).values)
        assert (held["email"], held["role"]) == (email, "editor")
    assert (await owner.send(PATH, email="bo@example.org", role="emperor")).status_code == 422
    assert 'id="role-fault"' in owner.page
    assert await rows("link") == 0


async def test_after_ten_minutes_the_password_is_requested_again_and_the_form_is_kept(browser: Browser) -> None:
    await make_owner()
    await browser.open("/sign-in")
    await browser.send("/sign-in", email="ann@example.org", password=PASSWORD)
    await browser.open(PATH)
    await later(11)
    assert (await browser.send(PATH, email="bo@example.org", role="editor")).status_code == 403
    assert "Confirm your password" in browser.page
    assert await rows("link") == 0
    answer = await browser.send(PATH, confirmPassword="not my password at all")
    assert answer.status_code == 422
    assert 'id="confirmPassword-fault"' in browser.page
    old = browser.token
    answer = await browser.send(PATH, confirmPassword=PASSWORD)
    assert answer.status_code == 201
    assert "bo@example.org is invited" in browser.page and "Role: editor" in browser.page
    assert browser.token != old
    assert await sessions.find(str(old)) is None
    await browser.open(PATH)
    assert (await browser.send(PATH, email="cleo@example.org", role="viewer")).status_code == 201


async def test_guesses_of_the_password_in_an_open_session_are_throttled(owner: Browser, team: Team) -> None:
    await owner.open(PATH)
    await later(11)
    await owner.send(PATH, email="bo@example.org", role="editor")
    for _ in range(10):
        assert (await owner.send(PATH, confirmPassword="wrong")).status_code == 422
    answer = await owner.send(PATH, confirmPassword="wrong")
    assert (answer.status_code, answer.headers["retry-after"].isdigit()) == (429, True)
    assert ("email", "bo@example.org") in owner.form(PATH).values
    assert await rows("link") == 0


async def test_management_keys_of_a_removed_member_are_taken_over_or_revoked(owner: Browser, team: Team) -> None:
    await members.change_role(team.owner, team.slug, team.editor.id, Role.OWNER)
    kept, lost = [await key_of(team.editor, name) for name in ("Deploys", "Nightly report")]
    path = f"{PATH}/{team.editor.id}/removal"
    await owner.open(path)
    assert "Deploys" in owner.page and "Nightly report" in owner.page
    assert (await owner.send(path, takeOver=[kept])).headers["location"] == f"{PATH}?done=removed"
    now = await database.now()
    assert (await management_keys.get(team.owner, kept)).status(now) is Status.ACTIVE
    assert (await management_keys.get(team.owner, lost)).status(now) is Status.REVOKED
    assert await role_of(team, team.editor) is None


async def test_a_key_that_is_not_theirs_cannot_be_taken_over(owner: Browser, team: Team) -> None:
    await members.change_role(team.owner, team.slug, team.editor.id, Role.OWNER)
    await key_of(team.editor, "Deploys")
    own = await key_of(team.owner, "Mine")
    path = f"{PATH}/{team.editor.id}/removal"
    await owner.open(path)
    assert (await owner.send(path, takeOver=[own])).status_code == 422
    assert 'id="takeOver-fault"' in owner.page
    assert await role_of(team, team.editor) == "owner"


async def test_a_member_who_leaves_loses_access_immediately(editor: Browser, team: Team) -> None:
    path = f"{PATH}/{team.editor.id}/removal"
    await editor.open(path)
    assert "Leave Acme" in editor.page
    assert (await editor.send(path)).status_code == 303
    assert (await editor.open("/w/acme")).status_code in (303, 404)
    assert await role_of(team, team.editor) is None
