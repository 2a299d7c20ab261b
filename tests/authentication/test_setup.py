"""The first owner by a one-time link, and further workspaces by the operator."""

from __future__ import annotations

import asyncio

import pytest

from app import database
from app.access.actor import Actor, Role
from app.audit import service as audit
from app.authentication import service as authentication
from app.clock import MINUTE
from app.errors import LinkExpired, NotAllowed, ValidationFailed
from app.sessions import service as sessions
from app.sessions.session import SignedIn
from app.settings import Settings
from app.tenancy import service as tenancy
from tests.conftest import Team
from tests.support.access import seen
from tests.support.users import OTHER_PASSWORD, PASSWORD, REQUEST, make_owner, sign_in, token_of

ANN = {"email": "ann@example.org", "name": "Ann", "password": PASSWORD, "workspace": "Acme, Inc."}


async def test_the_first_owner_signs_up_with_the_link_and_is_signed_in(db: None, settings: Settings) -> None:
    link = await authentication.set_up_link()
    assert link and link.startswith(f"{settings.origin}/set-up/") and len(token_of(link)) == 43
    assert await authentication.is_set_up_link(token_of(link))
    signed_in = await authentication.set_up(REQUEST, token_of(link), **ANN)
    session = await sessions.find(signed_in.token)
    assert session and (session.user.email, session.user.name) == ("ann@example.org", "Ann")
    ((place, role),) = [(access.workspace, access.role) for access in await tenancy.mine(session.actor(REQUEST))]
    assert (place.slug, place.name, place.plan, role) == ("acme-inc", "Acme, Inc.", "free", Role.OWNER)
    (entry,) = await audit.page(await seen(session.actor(REQUEST), place.slug), limit=5)
    assert (entry.action, entry.actor.id, entry.request.address) == ("workspace.created", session.user.id, "203.0.113.9")


async def test_of_twenty_concurrent_sign_ups_one_becomes_owner(db: None) -> None:
    token = token_of(await authentication.set_up_link())
    people = [ANN | {"email": f"person{number}@example.org"} for number in range(20)]
    found = await asyncio.gather(*(authentication.set_up(REQUEST, token, **each) for each in people), return_exceptions=True)
    assert sorted(type(each).__name__ for each in found) == ["LinkExpired"] * 19 + ["SignedIn"]
    for table in ("account", "workspace", "member", "session"):
        assert len(await database.fetch(f"SELECT * FROM {table}")) == 1, table


async def test_a_link_works_once_for_fifteen_minutes_and_invalidates_earlier_ones(db: None) -> None:
    now = await database.now()
    database.freeze(now)
    first, second = token_of(await authentication.set_up_link()), token_of(await authentication.set_up_link())
    assert not await authentication.is_set_up_link(first)
    for token in (first, "", "x", second[:-1]):
        with pytest.raises(LinkExpired):
            await authentication.set_up(REQUEST, token, **ANN)
    database.freeze(now + 15 * MINUTE - 1)
    assert await authentication.is_set_up_link(second)
    database.freeze(now + 15 * MINUTE)
    assert not await authentication.is_set_up_link(second)
    third = token_of(await authentication.set_up_link())
    assert isinstance(await authentication.set_up(REQUEST, third, **ANN), SignedIn)
    with pytest.raises(LinkExpired):
        await authentication.set_up(REQUEST, third, **ANN)


async def test_once_there_is_an_owner_no_link_is_issued_and_earlier_ones_are_invalid(db: None) -> None:
    token = token_of(await authentication.set_up_link())
    await make_owner("bob@example.org", "Bob", "Bolts")
    assert await authentication.set_up_link() is None
    with pytest.raises(LinkExpired):
        await authentication.set_up(REQUEST, token, **ANN)


async def test_every_fault_is_reported_at_its_field_and_the_link_stays_valid(db: None) -> None:
    token = token_of(await authentication.set_up_link())
    with pytest.raises(ValidationFailed) as refusal:
        await authentication.set_up(REQUEST, token, email="ann", name="", password="short", workspace="\n")
    assert [fault.field for fault in refusal.value.fields] == ["email", "name", "workspace", "password"]
    assert await authentication.is_set_up_link(token) and await database.fetch("SELECT * FROM account") == []


async def test_a_link_works_only_for_its_own_purpose(db: None) -> None:
    set_up = token_of(await authentication.set_up_link())
    assert await authentication.find_password_reset(set_up) is None
    with pytest.raises(LinkExpired):
        await authentication.reset_password(REQUEST, set_up, OTHER_PASSWORD)
    assert await sessions.find(set_up) is None
    await make_owner()
    reset = token_of(await authentication.password_reset_link(Actor.operator(), "ann@example.org"))
    assert not await authentication.is_set_up_link(reset)


async def test_the_operator_creates_workspaces_and_an_existing_owner_gets_one_more(db: None) -> None:
    user, first = await make_owner()
    again, second = await authentication.create_owner(
        Actor.operator(), email=" ANN@example.org", name="Someone else", password=None, workspace="acme"
    )
    _, third = await authentication.create_owner(Actor.operator(), email="ann@example.org", name="", password="x", workspace="ACME")
    assert again == user and [place.slug for place in (first, second, third)] == ["acme", "acme-2", "acme-3"]
    await sign_in()
    assert len(await tenancy.mine(Actor.user(user.id, user.name))) == 3


async def test_concurrent_creations_get_different_slugs(db: None) -> None:
    await make_owner()
    made = await asyncio.gather(
        *(
            authentication.create_owner(Actor.operator(), email="ann@example.org", name="", password=None, workspace=name)
            for name in ("Acme", "acme!", "ACME", "acme-2", "日本")
        )
    )
    slugs = [place.slug for _, place in made]
    assert len({"acme", *slugs}) == 6 and "workspace" in slugs


async def test_a_new_owner_needs_a_password_and_a_member_cannot_create_owners(team: Team) -> None:
    asked = {"email": "new@example.org", "name": "New", "workspace": "New"}
    with pytest.raises(ValidationFailed) as refusal:
        await authentication.create_owner(Actor.operator(), password=None, **asked)
    assert [fault.field for fault in refusal.value.fields] == ["password"]
    with pytest.raises(NotAllowed):
        await authentication.create_owner(team.owner, password=PASSWORD, **asked)
    assert await database.fetch("SELECT * FROM account WHERE email = 'new@example.org'") == []
