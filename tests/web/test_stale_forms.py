"""A form filled in before a colleague's change never overwrites it: nothing is written, and the page shows the change."""

from __future__ import annotations

from app import database
from app.access.actor import Role
from app.clock import DAY, SECOND
from app.keys import service as keys
from app.management_keys import service as management_keys
from app.management_keys.management_key import ManagementKeyInput, Status
from app.members import service as members
from app.rotations import service as rotations
from app.rotations.rotation import State
from app.tenancy import service as tenancy
from app.workspaces import service as workspaces
from tests.conftest import Team, make_key
from tests.support.access import seen
from tests.support.callers import use
from tests.web.conftest import Browser, rows


async def test_a_stale_edit_restores_no_permission_and_keeps_the_input(editor: Browser, team: Team) -> None:
    key = (await make_key(team, "Server", permissions=("pdf.read", "pdf.generate"))).key
    path = f"/w/{team.slug}/settings/api-keys/{key.id}/edit"
    await editor.open(path)
    restricted = await keys.update(team.owner, key.id, {"permissions": ("pdf.read",), "allowed_ips": ("203.0.113.0/24",)})
    entries = await rows("audit_entry")

    answer = await editor.send(path, name="Renamed")
    assert answer.status_code == 409
    assert await keys.get(team.owner, key.id) == restricted and await rows("audit_entry") == entries
    assert "Someone else changed this key" in answer.text and "203.0.113.0/24" in answer.text
    form = editor.form(path)
    assert dict(form.values)["name"] == "Renamed"

    # After seeing the change, they may submit the form again.
    assert (await editor.send(path, name="Renamed", permissions=["pdf.read"], allowedIps="203.0.113.0/24")).status_code == 303
    now = await keys.get(team.owner, key.id)
    assert (now.name, now.permissions, now.allowed_ips) == ("Renamed", ("pdf.read",), ("203.0.113.0/24",))


async def test_a_form_refused_for_its_fields_keeps_its_revision(editor: Browser, team: Team) -> None:
    key = (await make_key(team, "Server")).key
    path = f"/w/{team.slug}/settings/api-keys/{key.id}/edit"
    await editor.open(path)
    assert (await editor.send(path, allowedIps="nonsense")).status_code == 422
    await keys.update(team.owner, key.id, {"allowed_ips": ("203.0.113.0/24",)})
    assert (await editor.send(path, allowedIps="")).status_code == 409
    assert (await keys.get(team.owner, key.id)).allowed_ips == ("203.0.113.0/24",)


async def test_a_change_of_other_fields_does_not_make_the_form_stale(editor: Browser, team: Team) -> None:
    key = (await make_key(team, "Server")).key
    path = f"/w/{team.slug}/settings/api-keys/{key.id}/edit"
    await editor.open(path)
    await keys.suspend(team.owner, key.id)
    assert (await editor.send(path, name="Renamed")).status_code == 303
    assert (await keys.get(team.owner, key.id)).suspended_at is not None


async def test_stale_settings_of_a_workspace_overwrite_nothing(owner: Browser, team: Team) -> None:
    path = f"/w/{team.slug}/settings/workspace"
    await owner.open(path)
    await workspaces.update(team.owner, team.slug, timezone="Europe/Berlin")
    answer = await owner.send(path, name="Renamed")
    assert answer.status_code == 409 and "Europe/Berlin" in answer.text
    assert dict(owner.form(path).values)["name"] == "Renamed"
    place = (await tenancy.mine(team.owner))[0].workspace
    assert (place.name, place.timezone) == (team.workspace.name, "Europe/Berlin")
    assert (await owner.send(path, timezone="Europe/Berlin")).status_code == 303


async def test_a_stale_role_overwrites_nothing(owner: Browser, team: Team) -> None:
    path = f"/w/{team.slug}/settings/members"
    await owner.open(path)
    await members.change_role(team.owner, team.slug, team.editor.id, Role.VIEWER)
    answer = await owner.send(f"{path}/{team.editor.id}/role", newRole="owner")
    assert answer.status_code == 422 and "Someone else changed this" in answer.text
    roles = {each.user.id: each.role for each in await members.members(await seen(team.owner, team.slug))}
    assert roles[team.editor.id] is Role.VIEWER
    assert (await owner.send(f"{path}/{team.editor.id}/role", newRole="owner")).status_code == 303


async def test_the_same_form_sent_twice_is_saved_once_and_confirmed_twice(owner: Browser, team: Team) -> None:
    key = (await make_key(team, "Server")).key
    for path in (f"/w/{team.slug}/settings/api-keys/{key.id}/edit", f"/w/{team.slug}/settings/workspace"):
        await owner.open(path)
        form = owner.form(path).filled(name="Renamed")
        for _ in range(2):
            assert (await owner.post(path, form, **owner.same_origin_headers)).status_code == 303


async def test_a_stale_resume_ends_no_later_suspension(editor: Browser, team: Team) -> None:
    key = (await make_key(team, "Server")).key
    path = f"/w/{team.slug}/settings/api-keys/{key.id}/suspension"
    await keys.suspend(team.owner, key.id)
    await editor.open(path)
    await keys.resume(team.owner, key.id)
    database.freeze(await database.now() + SECOND)
    again = await keys.suspend(team.owner, key.id)
    entries = await rows("audit_entry")

    answer = await editor.send(path)
    assert answer.status_code == 409 and "resumed and suspended again" in answer.text
    unsaid = await editor.post(
        path, {"csrf": dict(editor.form(path).values)["csrf"], "state": "active"}, **editor.same_origin_headers
    )
    assert unsaid.status_code == 409
    assert await keys.get(team.owner, key.id) == again and await rows("audit_entry") == entries
    # After seeing it, they may; sending it twice has the same result.
    form = editor.form(path).filled()
    for _ in range(2):
        assert (await editor.post(path, form, **editor.same_origin_headers)).status_code == 303
    assert (await keys.get(team.owner, key.id)).suspended_at is None


async def test_a_rotation_is_force_completed_only_with_the_callers_that_were_shown(editor: Browser, team: Team) -> None:
    key = (await make_key(team, "Server")).key
    await use(key.id, "203.0.113.9")
    run = (await rotations.start(team.owner, key.id)).progress
    path = f"/w/{team.slug}/settings/api-keys/{key.id}/rotation/completion"
    await editor.open(path.removesuffix("/completion"))
    assert "would cut off 1 caller" in (await editor.send(path)).text
    await use(key.id, "198.51.100.7")

    answer = await editor.send(path, force="yes")
    assert answer.status_code == 409
    assert "This has changed since you opened the page" in answer.text and "198.51.100.0/24" in answer.text
    assert (await editor.post(path, editor.form(path).filled(seen=""), **editor.same_origin_headers)).status_code == 409
    assert (await rotations.get(team.owner, run.rotation.id)).is_open
    # The callers that were shown now may continue to use the key.
    await use(key.id, "198.51.100.7")
    assert (await editor.send(path, force="yes")).status_code == 303
    assert (await rotations.get(team.owner, run.rotation.id)).state is State.COMPLETED


async def test_a_rotation_is_cancelled_only_with_the_callers_that_were_shown(editor: Browser, team: Team) -> None:
    key = (await make_key(team, "Server")).key
    run = (await rotations.start(team.owner, key.id)).progress
    path = f"/w/{team.slug}/settings/api-keys/{key.id}/rotation/cancellation"
    await use(run.successor.id, "203.0.113.9")
    await editor.open(path.removesuffix("/cancellation"))
    assert "already in use" in (await editor.send(path)).text
    await use(run.successor.id, "198.51.100.7")

    answer = await editor.send(path, force="yes")
    assert answer.status_code == 409
    assert "This has changed since you opened the page" in answer.text and "198.51.100.0/24" in answer.text
    assert (await editor.post(path, editor.form(path).filled(seen=""), **editor.same_origin_headers)).status_code == 409
    assert (await rotations.get(team.owner, run.rotation.id)).is_open
    await use(run.successor.id, "198.51.100.7")
    assert (await editor.send(path, force="yes")).status_code == 303
    assert (await rotations.get(team.owner, run.rotation.id)).state is State.CANCELLED


async def test_a_member_is_removed_only_with_the_management_keys_that_were_shown(owner: Browser, team: Team) -> None:
    await members.change_role(team.owner, team.slug, team.editor.id, Role.OWNER)
    path = f"/w/{team.slug}/settings/members/{team.editor.id}/removal"
    await owner.open(path)
    asked = ManagementKeyInput("Deploys", ("keys.read",), await database.now() + 30 * DAY)
    made = (await management_keys.create(team.editor, team.slug, asked))[0]

    answer = await owner.send(path)
    assert answer.status_code == 409
    assert "This has changed since you opened the page" in answer.text and "Deploys" in answer.text
    assert (await owner.post(path, owner.form(path).filled(seen=""), **owner.same_origin_headers)).status_code == 409
    assert (await management_keys.get(team.owner, made.id)).status(await database.now()) is Status.ACTIVE
    assert (await owner.send(path, takeOver=[made.id])).status_code == 303
    assert (await management_keys.get(team.owner, made.id)).status(await database.now()) is Status.ACTIVE
    assert team.editor.id not in {each.user.id for each in await members.members(await seen(team.owner, team.slug))}


async def test_a_member_who_may_not_see_management_keys_can_leave(editor: Browser, team: Team) -> None:
    await members.change_role(team.owner, team.slug, team.editor.id, Role.OWNER)
    asked = ManagementKeyInput("Deploys", ("keys.read",), await database.now() + 30 * DAY)
    await management_keys.create(team.editor, team.slug, asked)
    await members.change_role(team.owner, team.slug, team.editor.id, Role.VIEWER)
    path = f"/w/{team.slug}/settings/members/{team.editor.id}/removal"
    await editor.open(path)
    assert (await editor.send(path)).status_code == 303
