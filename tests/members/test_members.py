"""Roles and memberships: always an owner, never more than one's own rights, in effect from the next request on."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from app import database, ids
from app.access.actor import Actor, Request, Role
from app.access.policy import RECENT
from app.audit import service as audit
from app.clock import DAY
from app.errors import ConfirmationNeeded, Conflict, NotAllowed, NotAuthenticated, NotFound, ValidationFailed
from app.keys.key import API_KEY_ID
from app.management_keys import service as management_keys
from app.management_keys.management_key import MANAGEMENT_KEY_ID, ManagementKey, ManagementKeyInput
from app.members import service as members
from app.sessions import service as sessions
from app.tenancy import service as tenancy
from app.tenancy import store as workspace_store
from app.tenancy.workspace import MEMBER_ID, Member
from app.users import store as user_store
from app.users.user import USER_ID, User
from app.workspaces import service as workspaces
from tests.conftest import Team, make_key
from tests.support.access import seen
from tests.support.users import REQUEST, make_owner, sign_in, token_of


def user_of(actor: Actor) -> str:
    assert actor.user_id is not None
    return actor.user_id


async def roles(team: Team) -> dict[str, Role]:
    return {member.user.id: member.role for member in await workspace_store.members(team.workspace.id)}


async def actions(team: Team) -> list[str]:
    return [entry.action for entry in await audit.page(await seen(Actor.operator(), team.slug), limit=100)]


async def make_managing(maker: Actor, slug: str, name: str = "CI") -> tuple[ManagementKey, str]:
    return await management_keys.create(maker, slug, ManagementKeyInput(name, ("keys.write",), await database.now() + DAY))


async def second_owner(team: Team) -> Actor:
    await members.change_role(team.owner, team.slug, user_of(team.editor), Role.OWNER)
    return team.editor


async def test_every_member_sees_the_list_of_members_the_longest_standing_first(team: Team, other_team: Team) -> None:
    for actor in (team.owner, team.editor, team.viewer, Actor.operator()):
        found = await members.members(await seen(actor, team.slug))
        assert {member.user.id: member.role for member in found} == await roles(team)
        assert found == sorted(found, key=lambda member: (member.created_at, member.id))
    with pytest.raises(NotFound):
        await members.members(await seen(other_team.owner, team.slug))


async def test_a_new_role_takes_effect_with_the_next_request_and_is_audited_once(team: Team) -> None:
    for _ in range(2):
        changed = await members.change_role(team.owner, team.slug, user_of(team.editor), Role.VIEWER)
        assert changed.role is Role.VIEWER
    with pytest.raises(NotAllowed):
        await make_key(replace(team, owner=team.editor))
    (entry,) = await audit.page(await seen(team.owner, team.slug), limit=9)
    assert (entry.action, entry.target) == ("member.role_changed", user_of(team.editor))
    assert entry.detail == {"name": team.editor.name, "before": "editor", "after": "viewer"}


async def test_only_owners_change_roles_and_remove(team: Team, other_team: Team) -> None:
    _, secret = await make_managing(team.owner, team.slug)
    program = await management_keys.authenticate(secret, Request())
    before = await roles(team)
    for actor in (team.editor, team.viewer, program):
        for target in (user_of(team.owner), user_of(team.viewer)):
            with pytest.raises(NotAllowed):
                await members.change_role(actor, team.slug, target, Role.OWNER)
        with pytest.raises(NotAllowed):
            await members.remove(actor, team.slug, user_of(team.owner))
    with pytest.raises(NotFound):
        await members.change_role(other_team.owner, team.slug, user_of(team.viewer), Role.OWNER)
    assert await roles(team) == before


async def test_a_user_outside_the_workspace_is_not_found(team: Team, other_team: Team) -> None:
    for stranger in (user_of(other_team.owner), ids.new(USER_ID), ids.new(API_KEY_ID), "", "x"):
        with pytest.raises(NotFound, match="member"):
            await members.change_role(team.owner, team.slug, stranger, Role.VIEWER)
        with pytest.raises(NotFound, match="member"):
            await members.remove(team.owner, team.slug, stranger)


async def test_the_last_owner_is_neither_demoted_nor_removed_nor_leaves(team: Team) -> None:
    owner = user_of(team.owner)
    for actor in (team.owner, Actor.operator()):
        for role in (Role.EDITOR, Role.VIEWER):
            with pytest.raises(Conflict):
                await members.change_role(actor, team.slug, owner, role)
        with pytest.raises(Conflict):
            await members.remove(actor, team.slug, owner)
    assert (await roles(team))[owner] is Role.OWNER and await actions(team) == []


@pytest.mark.parametrize("way", ["demote", "remove", "leave"])
async def test_concurrent_changes_by_two_owners_never_leave_a_workspace_without_one(team: Team, way: str) -> None:
    other = await second_owner(team)
    pairs = [(team.owner, user_of(other)), (other, user_of(team.owner))]

    async def act(actor: Actor, target: str) -> object:
        if way == "demote":
            return await members.change_role(actor, team.slug, target, Role.VIEWER)
        return await members.remove(actor, team.slug, user_of(actor) if way == "leave" else target)

    for _ in range(35):
        found = await asyncio.gather(*(act(*pair) for pair in pairs), return_exceptions=True)
        assert [isinstance(each, (Conflict, NotAllowed, NotFound)) for each in found].count(True) == 1, found
        assert list((await roles(team)).values()).count(Role.OWNER) == 1
        await make_owners_again(team, [user_of(actor) for actor, _ in pairs])


async def make_owners_again(team: Team, users: list[str]) -> None:
    present, now = await roles(team), await database.now()
    async with database.transaction():
        for user_id in users:
            if user_id in present:
                await workspace_store.set_role(team.workspace.id, user_id, Role.OWNER)
            else:
                user = await user_store.find(user_id)
                assert user
                await workspace_store.add_member(owner_of(team, user, now))


def owner_of(team: Team, user: User, now: int) -> Member:
    return Member(ids.new(MEMBER_ID), team.workspace.id, user, Role.OWNER, now)


async def test_removing_a_member_reassigns_or_revokes_the_keys_the_member_created(team: Team) -> None:
    leaver = await second_owner(team)
    kept, kept_secret = await make_managing(leaver, team.slug, "kept")
    ended, ended_secret = await make_managing(leaver, team.slug, "ended")
    api_key = (await make_key(replace(team, owner=leaver))).key
    removed = await members.remove(team.owner, team.slug, user_of(leaver), [kept.id])
    assert ([key.id for key in removed.taken_over], [key.id for key in removed.revoked]) == ([kept.id], [ended.id])
    assert (removed.access.workspace.id, removed.member.user.id) == (team.workspace.id, leaver.user_id)
    assert (await management_keys.authenticate(kept_secret, Request())).user_id == team.owner.user_id
    with pytest.raises(NotAuthenticated):
        await management_keys.authenticate(ended_secret, Request())
    with pytest.raises(NotFound):
        await tenancy.seen(leaver, team.slug)
    assert await tenancy.mine(leaver) == []
    assert sorted((await actions(team))[:3]) == ["management_key.revoked", "management_key.taken_over", "member.removed"]
    assert (await audit.about(await seen(team.owner, team.slug), api_key.id))[0].action == "key.created"
    assert await audit.first_broken(team.workspace.id) is None


async def test_a_removal_that_names_a_wrong_key_removes_nobody(team: Team) -> None:
    leaver = await second_owner(team)
    mine, _ = await make_managing(team.owner, team.slug)
    for wrong in (mine.id, ids.new(MANAGEMENT_KEY_ID), ""):
        with pytest.raises(ValidationFailed) as refusal:
            await members.remove(team.owner, team.slug, user_of(leaver), [wrong])
        assert [fault.field for fault in refusal.value.fields] == ["takeOver"]
    assert user_of(leaver) in await roles(team)


async def test_every_member_may_leave_even_a_suspended_workspace_and_keeps_no_keys(team: Team) -> None:
    await members.remove(team.viewer, team.slug, user_of(team.viewer))
    leaver = await second_owner(team)
    key, secret = await make_managing(leaver, team.slug)
    with pytest.raises(ValidationFailed):
        await members.remove(leaver, team.slug, user_of(leaver), [key.id])
    await workspaces.suspend(Actor.operator(), team.slug)
    assert [each.id for each in (await members.remove(leaver, team.slug, user_of(leaver))).revoked] == [key.id]
    with pytest.raises(NotAuthenticated):
        await management_keys.authenticate(secret, Request())
    assert await roles(team) == {user_of(team.owner): Role.OWNER}


async def test_a_user_without_workspaces_is_signed_out_and_others_are_not(team: Team) -> None:
    user, elsewhere = await make_owner()
    session = await sign_in()
    _, link = await members.invite(team.owner, team.slug, "ann@example.org", Role.EDITOR)
    await members.accept(session.session.actor(REQUEST), token_of(link))
    await members.remove(team.owner, team.slug, user.id)
    assert await sessions.find(session.token)
    async with database.transaction():
        await workspace_store.add_member(owner_of(team, user, 0))
        await workspace_store.remove_member(elsewhere.id, user.id)
    await members.remove(team.owner, team.slug, user.id)
    assert await sessions.find(session.token) is None


async def test_sensitive_changes_need_the_password_again_after_ten_minutes(team: Team) -> None:
    now = await database.now()
    database.freeze(now + RECENT)
    fresh, stale = replace(team.owner, authenticated_at=now), replace(team.owner, authenticated_at=now - 1)
    viewer = user_of(team.viewer)
    for act in (
        lambda actor: members.invite(actor, team.slug, "new@example.org", Role.VIEWER),
        lambda actor: members.change_role(actor, team.slug, viewer, Role.EDITOR),
        lambda actor: make_managing(actor, team.slug),
        lambda actor: members.remove(actor, team.slug, viewer),
    ):
        written = await actions(team)
        with pytest.raises(ConfirmationNeeded, match="password"):
            await act(stale)
        assert await actions(team) == written
        await act(fresh)
        assert len(await actions(team)) == len(written) + 1


async def test_withdrawing_and_revoking_need_no_password(team: Team) -> None:
    key, _ = await make_managing(team.owner, team.slug)
    stale = replace(team.owner, authenticated_at=1)
    await management_keys.revoke(stale, key.id)
    await make_key(replace(team, owner=stale))
    await workspaces.update(stale, team.slug, name="Renamed")
