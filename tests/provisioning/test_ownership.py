"""Providing a workspace for a customer, and transferring one to another owner."""

from __future__ import annotations

import asyncio

import pytest

from app import database
from app.access.actor import Actor, Request, Role
from app.audit import store as audit_store
from app.errors import Conflict, LinkExpired, NotAllowed, NotFound, ValidationFailed
from app.members import service as members
from app.provisioning import ownership
from app.provisioning.ownership import Owned, Wanted
from app.tenancy import service as tenancy
from tests.conftest import Team
from tests.support.access import seen
from tests.support.outbox import send_mails
from tests.support.smtp import Smtp

OPERATOR = Actor.operator()
PASSWORD = "quite a long horse story 7"


def token(owned: Owned) -> str:
    return (owned.link or "").rpartition("/")[2]


async def roles(team: Team) -> dict[str, Role]:
    return {each.user.email: each.role for each in await members.members(await seen(OPERATOR, team.slug))}


async def test_a_new_customer_accepts_an_invitation_and_owns_the_workspace(db: None) -> None:
    made = await ownership.provision(OPERATOR, Wanted("Acme, Inc.", "ann@example.org", plan="growth"))
    assert (made.workspace.slug, made.workspace.plan) == ("acme-inc", "growth") and made.link is not None
    signed_in = await members.accept_as_new(Request(), token(made), "Ann", PASSWORD)
    (access,) = await tenancy.mine(Actor.user(signed_in.session.user.id, "Ann"))
    assert (access.workspace.id, access.role) == (made.workspace.id, Role.OWNER)
    entries = await audit_store.newest(made.workspace.id, limit=10)
    assert [entry.action for entry in entries] == ["member.joined", "member.invited", "workspace.created"]


async def test_someone_with_an_account_owns_it_at_once(team: Team) -> None:
    made = await ownership.provision(OPERATOR, Wanted("Second", "Owner@acme.example"))
    assert made.link is None
    assert {access.workspace.slug: access.role for access in await tenancy.mine(team.owner)} == {
        team.slug: Role.OWNER,
        "second": Role.OWNER,
    }


async def test_the_same_request_is_one_workspace_also_fifty_at_once(db: None) -> None:
    wanted = Wanted("Acme", "ann@example.org", slug="acme")
    made = await asyncio.gather(*(ownership.provision(OPERATOR, wanted, idempotency_key="one") for _ in range(50)))
    assert len({each.workspace.id for each in made}) == 1
    assert sum(each.link is not None for each in made) == 1
    with pytest.raises(Conflict):
        await ownership.provision(OPERATOR, Wanted("Other", "ann@example.org"), idempotency_key="one")
    assert len(await database.fetch("SELECT id FROM workspace")) == 1


async def test_every_fault_is_reported_at_its_field_and_nothing_is_made(team: Team) -> None:
    for wanted, fields in (
        (Wanted("", "no address", slug="No Slug", plan="none"), ["name", "ownerEmail", "slug", "plan"]),
        (Wanted("Acme", "ann@example.org", slug=team.slug), ["slug"]),
        (Wanted("Acme", "ann@example.org", slug="a" * 41), ["slug"]),
        (Wanted("Acme", "ann@example.org", slug="wsp_abc"), ["slug"]),
    ):
        with pytest.raises(ValidationFailed) as refused:
            await ownership.provision(OPERATOR, wanted)
        assert [fault.field for fault in refused.value.fields] == fields
    assert len(await database.fetch("SELECT id FROM workspace")) == 1


async def test_a_member_becomes_the_only_owner(team: Team) -> None:
    owned = await ownership.transfer(OPERATOR, team.slug, "viewer@acme.example")
    assert owned.link is None
    assert await roles(team) == {
        "owner@acme.example": Role.EDITOR,
        "editor@acme.example": Role.EDITOR,
        "viewer@acme.example": Role.OWNER,
    }
    (entry,) = await audit_store.newest(team.workspace.id, limit=1)
    assert (entry.action, entry.detail) == ("workspace.transferred", {"owner": "viewer@acme.example"})
    await ownership.transfer(OPERATOR, team.slug, "viewer@acme.example")
    assert (await audit_store.newest(team.workspace.id, limit=1))[0] == entry


async def test_a_stranger_is_invited_and_nobody_owns_it_until_then(team: Team) -> None:
    owned = await ownership.transfer(OPERATOR, team.slug, "new@example.org")
    assert owned.link is not None and Role.OWNER not in (await roles(team)).values()
    await members.accept_as_new(Request(), token(owned), "New", PASSWORD)
    assert (await roles(team))["new@example.org"] is Role.OWNER


async def test_after_a_mistyped_address_its_invitation_makes_no_owner(db: None) -> None:
    mistyped = await ownership.provision(OPERATOR, Wanted("Acme", "an@example.org"))
    again = await ownership.transfer(OPERATOR, "acme", "ann@example.org")
    with pytest.raises(LinkExpired):
        await members.accept_as_new(Request(), token(mistyped), "An", PASSWORD)
    await members.accept_as_new(Request(), token(again), "Ann", PASSWORD)
    entries = await audit_store.newest(again.workspace.id, limit=10)
    assert [entry.action for entry in entries][:4] == [
        "member.joined",
        "workspace.transferred",
        "member.invited",
        "invitation.withdrawn",
    ]


async def test_those_who_owned_it_and_those_who_do_get_a_mail(team: Team, smtp: Smtp) -> None:
    await ownership.transfer(OPERATOR, team.slug, "viewer@acme.example")
    await send_mails()
    told = {letter["To"]: (letter["Subject"], letter.get_content()) for letter in smtp.received}
    assert set(told) == {"owner@acme.example", "viewer@acme.example"}
    subject, text = told["owner@acme.example"]
    assert subject == f"You no longer own {team.workspace.name}"
    assert "Operator made viewer@acme.example the only owner" in text and f"/w/{team.slug}" in text
    assert told["viewer@acme.example"][0] == f"You own {team.workspace.name}"


async def test_wrong_input_and_members_change_nothing(team: Team) -> None:
    with pytest.raises(ValidationFailed):
        await ownership.transfer(OPERATOR, team.slug, "no address")
    with pytest.raises(NotFound):
        await ownership.transfer(OPERATOR, "none", "ann@example.org")
    with pytest.raises(NotAllowed):
        await ownership.transfer(team.owner, team.slug, "ann@example.org")
    assert (await roles(team))["owner@acme.example"] is Role.OWNER
