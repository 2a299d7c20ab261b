"""Members, invitations and the workspace's settings over GraphQL, by the published operations."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from app import database, ids
from app.access.actor import Role
from app.access.policy import RECENT
from app.audit import service as audit
from app.clock import DAY, rfc3339
from app.errors import ConfirmationNeeded
from app.members import service as members
from app.users.user import USER_ID
from tests.api.conftest import program
from tests.conftest import Team
from tests.support.access import seen
from tests.support.graphql import Client, operation
from tests.support.users import PASSWORD, REQUEST, token_of

PAGE = """query($f:Int $a:String $l:Int $b:String){workspace{
  members(first:$f after:$a last:$l before:$b){
    totalCount nodes{user{id}} pageInfo{hasNextPage hasPreviousPage startCursor endCursor}}}}"""


async def invited(owner: Client, email: str = "new@example.org", role: str = "EDITOR") -> dict[str, Any]:
    answer: dict[str, Any] = await owner.change("members/invite", email=email, role=role)
    return answer


async def test_an_invitation_is_listed_until_it_is_accepted_and_its_link_is_in_one_answer(owner: Client, team: Team) -> None:
    made = await invited(owner)
    listed = await owner.run("members/list")
    (invitation,) = listed["invitations"]["nodes"]
    assert invitation == made["invitation"] and (invitation["email"], invitation["role"]) == ("new@example.org", "EDITOR")
    assert token_of(made["link"]) not in str(listed)
    signed_in = await members.accept_as_new(REQUEST, token_of(made["link"]), "New", PASSWORD)
    listed = await owner.run("members/list")
    assert listed["invitations"]["nodes"] == [] and listed["members"]["totalCount"] == 4
    last = listed["members"]["nodes"][-1]
    assert last["user"] == {"id": signed_in.session.user.id, "name": "New", "email": "new@example.org"} and last["role"] == "EDITOR"


async def test_a_faulty_invitation_is_refused_at_its_field_and_a_members_as_a_conflict(owner: Client) -> None:
    assert [fault["field"] for fault in (await invited(owner, "nobody"))["fields"]] == ["email"]
    assert (await invited(owner, "viewer@acme.example"))["code"] == "CONFLICT"


async def test_a_withdrawn_invitation_is_invalid_and_no_longer_listed(owner: Client, editor: Client, team: Team) -> None:
    made = await invited(owner)
    named = {key: made["invitation"][key] for key in ("id", "email")}
    assert (await editor.change("members/withdraw", id=named["id"]))["code"] == "NOT_ALLOWED"
    assert await owner.change("members/withdraw", id=named["id"]) == {"invitation": named}
    assert await members.find_invitation(token_of(made["link"])) is None
    assert (await owner.run("members/list"))["invitations"]["nodes"] == []
    assert (await owner.change("members/withdraw", id=named["id"]))["code"] == "NOT_FOUND"
    assert [entry.action for entry in await audit.page(await seen(team.owner, team.slug), limit=10)] == [
        "invitation.withdrawn",
        "member.invited",
    ]


async def test_a_role_is_changed_and_the_last_owner_stays_owner(owner: Client, team: Team) -> None:
    changed = await owner.change("members/change-role", user=team.viewer.id, role="EDITOR")
    member = changed["member"]
    assert (member["user"], member["role"]) == ({"id": team.viewer.id, "name": team.viewer.name}, "EDITOR")
    refused = await owner.change("members/change-role", user=team.owner.id, role="VIEWER")
    assert refused["code"] == "CONFLICT" and "last owner" in refused["message"]


async def test_removing_a_member_returns_what_happened_to_their_management_keys(owner: Client, team: Team) -> None:
    await owner.change("members/change-role", user=team.editor.id, role="OWNER")
    leaver = Client(team.editor)
    asked = {"scopes": ["keys.read"], "expiresAt": rfc3339(await database.now() + DAY)}
    kept, ended = [(await leaver.change("management/create", name=name, **asked))["managementKey"] for name in ("kept", "ended")]
    removed = await owner.change("members/remove", user=team.editor.id, takeOver=[kept["id"]])
    assert removed == {
        "workspace": {"id": team.workspace.id, "slug": team.slug},
        "takenOver": [{"id": kept["id"], "name": "kept"}],
        "revoked": [{"id": ended["id"], "name": "ended"}],
    }
    assert (await leaver.ask("{workspace{id}}"))["workspace"] is None


async def test_the_answer_to_leaving_still_shows_the_workspace(viewer: Client, team: Team) -> None:
    left = await viewer.change("members/remove", user=team.viewer.id)
    assert left == {"workspace": {"id": team.workspace.id, "slug": team.slug}, "takenOver": [], "revoked": []}
    assert (await viewer.change("members/remove", user=team.viewer.id))["code"] == "VALIDATION_FAILED"


async def test_a_viewer_removes_nobody_else(viewer: Client, team: Team) -> None:
    assert (await viewer.change("members/remove", user=team.editor.id))["code"] == "NOT_ALLOWED"
    assert len(await members.members(await seen(team.owner, team.slug))) == 3


async def test_a_change_that_needs_password_confirmation_is_not_allowed_and_says_so(team: Team) -> None:
    stale = Client(replace(team.owner, authenticated_at=await database.now() - RECENT - 1))
    asked = {"name": "CI", "scopes": ["keys.read"], "expiresAt": rfc3339(await database.now() + DAY)}
    for name, given in (
        ("members/invite", {"email": "new@example.org", "role": "VIEWER"}),
        ("members/change-role", {"user": team.viewer.id, "role": "EDITOR"}),
        ("members/remove", {"user": team.viewer.id}),
        ("management/create", asked),
    ):
        assert await stale.change(name, **given) == {"code": "NOT_ALLOWED", "message": ConfirmationNeeded().message}
    asked = {"input": {"email": "new@example.org", "role": "VIEWER"}}
    for client, url in ((stale, "/account/confirm?next=/graphql"), (Client(team.owner), None)):
        extensions = (await client.send(operation("members/invite"), asked)).json()["extensions"]
        assert extensions.get("confirmUrl", "").endswith(url) if url else "confirmUrl" not in extensions


async def test_members_are_paged_both_ways(owner: Client, team: Team) -> None:
    everyone = [member.user.id for member in await members.members(await seen(team.owner, team.slug))]

    async def page(**window: Any) -> tuple[list[str], dict[str, Any]]:
        found = (await owner.ask(PAGE, **window))["workspace"]["members"]
        assert found["totalCount"] == 3
        return [node["user"]["id"] for node in found["nodes"]], found["pageInfo"]

    first, info = await page(f=2)
    assert first == everyone[:2] and info["hasNextPage"]
    assert (await page(f=2, a=info["endCursor"]))[0] == everyone[2:]
    last, info = await page(l=1)
    assert (await page(l=1, b=info["startCursor"]))[0] == everyone[1:2]
    assert last == everyone[2:] and info["hasPreviousPage"] and not info["hasNextPage"]


async def test_a_cursor_of_members_is_refused_by_other_lists(owner: Client) -> None:
    cursor = (await owner.ask(PAGE, f=1))["workspace"]["members"]["pageInfo"]["endCursor"]
    (error,) = await owner.refused("query($a:String){workspace{invitations(after:$a){totalCount}}}", a=cursor)
    assert error["extensions"]["code"] == "BAD_USER_INPUT"


@pytest.mark.parametrize("operation", ["members/invite", "members/change-role", "members/remove"])
async def test_a_management_key_changes_no_members(team: Team, operation: str) -> None:
    key = await program(team.owner, team.slug, "workspace.write", "keys.write")
    given = {"email": "a@example.org"} if operation == "members/invite" else {"user": team.viewer.id}
    answer = await key.change(operation, **given | ({} if operation == "members/remove" else {"role": "OWNER"}))
    assert answer["code"] == "NOT_ALLOWED"
    assert await members.invitations(await seen(team.owner, team.slug)) == []
    assert [member.role for member in await members.members(await seen(team.owner, team.slug))].count(Role.OWNER) == 1


async def test_a_workspaces_settings_are_changed_and_omitted_fields_stay(owner: Client, team: Team) -> None:
    hours = {"days": ["FRIDAY", "MONDAY"], "opens": "08:00", "closes": "18:00"}
    changed = (await owner.change("workspaces/update", timezone="Europe/Berlin", businessHours=hours))["workspace"]
    kept = hours | {"days": ["MONDAY", "FRIDAY"]}
    expected = {"id": team.workspace.id, "slug": team.slug, "name": team.workspace.name, "timezone": "Europe/Berlin"}
    assert changed.items() >= (expected | {"businessHours": kept}).items()
    changed = (await owner.change("workspaces/update", name="Renamed"))["workspace"]
    assert changed.items() >= (expected | {"name": "Renamed", "businessHours": kept}).items()
    changed = (await owner.change("workspaces/update", businessHours=None))["workspace"]
    assert changed.items() >= (expected | {"name": "Renamed", "businessHours": None}).items()


async def test_faulty_settings_are_refused_at_their_fields(owner: Client) -> None:
    hours = {"days": [], "opens": "8", "closes": "18:00"}
    refused = await owner.change("workspaces/update", name="", timezone="Mars", businessHours=hours)
    fields = ["name", "timezone", "businessHours.days", "businessHours.opens"]
    assert [fault["field"] for fault in refused["fields"]] == fields


async def test_unknown_ids_are_not_found(owner: Client, other_team: Team) -> None:
    for stranger in (other_team.viewer.id, ids.new(USER_ID), "x"):
        for name, more in (("members/change-role", {"role": "VIEWER"}), ("members/remove", {})):
            assert (await owner.change(name, user=stranger, **more))["code"] == "NOT_FOUND"
