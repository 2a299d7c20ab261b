"""Invitations: for one address, used once, valid for seven days and as long as their author may invite."""

from __future__ import annotations

import asyncio

import pytest

from app import database, ids
from app.access.actor import Actor, Role
from app.audit import service as audit
from app.audit import store as audit_store
from app.authentication import service as authentication
from app.clock import DAY
from app.errors import Conflict, LinkExpired, NotAllowed, NotFound, ValidationFailed
from app.members import invitations
from app.members import service as members
from app.members.invitation import INVITATION_ID, MOST_OPEN, InvitationView
from app.sessions import service as sessions
from app.sessions.session import SignedIn
from app.settings import Settings
from app.tenancy.service import SYSTEM_CHAIN
from app.workspaces import service as workspaces
from tests.conftest import Team
from tests.support.access import seen
from tests.support.outbox import send_mails
from tests.support.smtp import Smtp
from tests.support.users import PASSWORD, REQUEST, make_owner, sign_in, token_of


async def invite(team: Team, email: str = "new@example.org", role: Role = Role.EDITOR) -> str:
    return token_of((await members.invite(team.owner, team.slug, email, role))[1])


async def role_of(team: Team, user_id: str) -> Role | None:
    return next(
        (member.role for member in await members.members(await seen(team.owner, team.slug)) if member.user.id == user_id), None
    )


async def emails(team: Team) -> list[str]:
    return [invitation.email for invitation in await members.invitations(await seen(team.viewer, team.slug))]


async def test_a_new_user_creates_an_account_and_becomes_a_member(team: Team, settings: Settings) -> None:
    invitation, link = await members.invite(team.owner, team.slug, " New@Example.org ", Role.EDITOR)
    assert link.startswith(f"{settings.origin}/invitations/") and invitation.email == "New@Example.org"
    assert invitation.expires_at == invitation.invited_at + 7 * DAY
    view = await members.find_invitation(token_of(link))
    assert view == InvitationView(team.workspace.name, "New@Example.org", Role.EDITOR, user_exists=False)
    signed_in = await members.accept_as_new(REQUEST, token_of(link), "New Person", PASSWORD)
    session = await sessions.find(signed_in.token)
    assert session and (session.user.email, session.user.name) == ("New@Example.org", "New Person")
    assert await role_of(team, session.user.id) is Role.EDITOR and await emails(team) == []
    joined, invited = await audit.page(await seen(team.owner, team.slug), limit=9)
    assert (joined.action, joined.target, joined.actor.name) == ("member.joined", session.user.id, "New Person")
    assert (invited.action, invited.target) == ("member.invited", invitation.id)
    assert [entry.action for entry in await audit_store.newest(SYSTEM_CHAIN, limit=9)] == ["session.started", "account.created"]
    await sign_in("new@example.org")


async def test_an_existing_user_signs_in_and_accepts(team: Team) -> None:
    user, _ = await make_owner()
    token = await invite(team, "ANN@example.org", Role.VIEWER)
    view = await members.find_invitation(token)
    assert view and view.user_exists
    with pytest.raises(ValidationFailed) as refusal:
        await members.accept_as_new(REQUEST, token, "Not Ann", PASSWORD + " of another")
    assert [fault.field for fault in refusal.value.fields] == ["email"]
    place = await members.accept((await sign_in()).session.actor(REQUEST), token)
    assert place.id == team.workspace.id and await role_of(team, user.id) is Role.VIEWER


async def test_an_invitation_is_for_one_address_and_nobody_else_accepts_it(team: Team) -> None:
    await make_owner()
    token = await invite(team, "bob@example.org")
    for actor in ((await sign_in()).session.actor(REQUEST), team.viewer, Actor.operator()):
        with pytest.raises(NotAllowed, match="for bob@example"):
            await members.accept(actor, token)
    assert await members.find_invitation(token)


async def test_a_link_is_used_once_even_by_concurrent_requests(team: Team) -> None:
    token = await invite(team)
    tries = (members.accept_as_new(REQUEST, token, f"Person {number}", PASSWORD) for number in range(8))
    found = await asyncio.gather(*tries, return_exceptions=True)
    assert [isinstance(each, SignedIn) for each in found].count(True) == 1
    assert all(isinstance(each, (SignedIn, LinkExpired, ValidationFailed)) for each in found)
    assert len(await members.members(await seen(team.owner, team.slug))) == 4
    assert await members.find_invitation(token) is None
    with pytest.raises(LinkExpired):
        await members.accept_as_new(REQUEST, token, "Again", PASSWORD)


async def test_a_link_is_valid_for_seven_days(team: Team) -> None:
    now = await database.now()
    database.freeze(now)
    token = await invite(team)
    database.freeze(now + 7 * DAY - 1)
    assert await members.find_invitation(token) and await emails(team) == ["new@example.org"]
    database.freeze(now + 7 * DAY)
    assert await members.find_invitation(token) is None and await emails(team) == []
    with pytest.raises(LinkExpired):
        await members.accept_as_new(REQUEST, token, "Late", PASSWORD)


async def test_inviting_an_address_again_invalidates_the_earlier_link(team: Team, other_team: Team) -> None:
    first = await invite(team, role=Role.OWNER)
    elsewhere = await invite(other_team)
    second = await invite(team, "NEW@example.org", Role.VIEWER)
    assert await members.find_invitation(first) is None and await members.find_invitation(elsewhere)
    assert await emails(team) == ["NEW@example.org"]
    signed_in = await members.accept_as_new(REQUEST, second, "New", PASSWORD)
    assert await role_of(team, signed_in.session.user.id) is Role.VIEWER


async def test_a_member_cannot_be_invited_or_join_again(team: Team) -> None:
    user, _ = await make_owner()
    token = await invite(team, "ann@example.org", Role.OWNER)
    with pytest.raises(Conflict, match="already a member"):
        await invite(team, "VIEWER@acme.example")
    ann = (await sign_in()).session.actor(REQUEST)
    await members.accept(ann, token)
    with pytest.raises(LinkExpired):
        await members.accept(ann, token)
    assert await role_of(team, user.id) is Role.OWNER


async def test_a_withdrawn_invitation_is_invalid(team: Team, other_team: Team) -> None:
    token = await invite(team)
    (invitation,) = await members.invitations(await seen(team.owner, team.slug))
    for actor, slug in ((other_team.owner, other_team.slug), (other_team.owner, team.slug)):
        with pytest.raises(NotFound):
            await members.withdraw_invitation(actor, slug, invitation.id)
    with pytest.raises(NotAllowed):
        await members.withdraw_invitation(team.editor, team.slug, invitation.id)
    await members.withdraw_invitation(team.owner, team.slug, invitation.id)
    assert await members.find_invitation(token) is None and await emails(team) == []
    for gone in (invitation.id, ids.new(INVITATION_ID), "x"):
        with pytest.raises(NotFound, match="invitation"):
            await members.withdraw_invitation(team.owner, team.slug, gone)
    assert [entry.action for entry in await audit.page(await seen(team.owner, team.slug), limit=9)] == [
        "invitation.withdrawn",
        "member.invited",
    ]


@pytest.mark.parametrize("way", ["demoted", "removed"])
async def test_invitations_end_with_their_authors_right_to_invite(team: Team, way: str) -> None:
    editor = team.editor.id
    await members.change_role(team.owner, team.slug, editor, Role.OWNER)
    back_door = token_of((await members.invite(team.editor, team.slug, "me.again@example.org", Role.OWNER))[1])
    own = await invite(team)
    if way == "demoted":
        await members.change_role(team.owner, team.slug, editor, Role.EDITOR)
    else:
        await members.remove(team.owner, team.slug, editor)
    with pytest.raises(LinkExpired):
        await members.accept_as_new(REQUEST, back_door, "Me", PASSWORD)
    assert await members.find_invitation(own)


async def test_only_owners_invite_and_faults_are_reported_at_their_field(team: Team) -> None:
    for actor in (team.editor, team.viewer):
        with pytest.raises(NotAllowed):
            await members.invite(actor, team.slug, "new@example.org", Role.VIEWER)
    with pytest.raises(ValidationFailed) as refusal:
        await members.invite(team.owner, team.slug, "no address", Role.VIEWER)
    assert [fault.field for fault in refusal.value.fields] == ["email"]
    token = await invite(team)
    with pytest.raises(ValidationFailed) as refusal:
        await members.accept_as_new(REQUEST, token, "", "short")
    assert [fault.field for fault in refusal.value.fields] == ["name", "password"]
    assert await members.find_invitation(token)


async def test_nobody_joins_a_suspended_workspace(team: Team) -> None:
    token = await invite(team)
    await workspaces.suspend(Actor.operator(), team.slug)
    with pytest.raises(NotAllowed, match="suspended"):
        await members.accept_as_new(REQUEST, token, "New", PASSWORD)
    with pytest.raises(NotAllowed, match="suspended"):
        await invite(team, "other@example.org")
    assert await database.fetch("SELECT * FROM account WHERE email = 'new@example.org'") == []
    await workspaces.resume(Actor.operator(), team.slug)
    await members.accept_as_new(REQUEST, token, "New", PASSWORD)


async def test_the_number_of_open_invitations_is_limited(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(invitations, "MOST_OPEN", 2)
    assert MOST_OPEN == 100
    for email in ("a@example.org", "b@example.org", "B@example.org"):
        await invite(team, email)
    with pytest.raises(Conflict):
        await invite(team, "c@example.org")


@pytest.mark.parametrize("token", ["", "x", "\x00", "\ud800"])
async def test_no_other_text_is_an_invitation(team: Team, token: str) -> None:
    reset = token_of(await authentication.password_reset_link(Actor.operator(), "owner@acme.example"))
    for text in (token, reset):
        assert await members.find_invitation(text) is None
        with pytest.raises(LinkExpired):
            await members.accept(team.viewer, text)
    invitation = await invite(team)
    assert await authentication.find_password_reset(invitation) is None and not await authentication.is_set_up_link(invitation)
    assert invitation not in str([await database.fetch("SELECT * FROM link"), await database.fetch("SELECT * FROM audit_entry")])


async def test_the_link_is_mailed_to_the_invited_address(team: Team, smtp: Smtp) -> None:
    await invite(team)
    await send_mails()
    (letter,) = smtp.received
    assert (letter["To"], letter["Subject"]) == ("new@example.org", f"Join {team.workspace.name}")
    (url,) = [line for line in letter.get_content().splitlines() if "://" in line]
    assert url.startswith("https://keys.example.com/invitations/") and await members.find_invitation(token_of(url))
