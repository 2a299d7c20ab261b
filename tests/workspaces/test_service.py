"""A workspace: its settings, its suspension, and the last visited workspace."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from app import database
from app.access.actor import Actor
from app.audit import service as audit
from app.errors import NotAllowed, NotFound, ValidationFailed
from app.tenancy import service as tenancy
from app.tenancy import store as workspace_store
from app.tenancy.workspace import BusinessHours, Workspace, slug_for
from app.workspaces import service as workspaces
from tests.conftest import Team, make_key
from tests.support.access import seen
from tests.support.users import make_owner

HOURS = BusinessHours(("MONDAY", "FRIDAY"), "08:00", "18:30")


async def entries(team: Team) -> list[tuple[str, dict[str, Any]]]:
    return [(entry.action, entry.detail) for entry in await audit.page(await seen(Actor.operator(), team.slug), limit=20)]


async def test_an_owner_changes_the_given_fields_and_the_rest_stays(team: Team) -> None:
    days = ("FRIDAY", "MONDAY", "FRIDAY")
    first = await workspaces.update(team.owner, team.slug, business_hours=replace(HOURS, days=days), timezone="Europe/Berlin")
    assert first == replace(team.workspace, business_hours=HOURS, timezone="Europe/Berlin")
    second = await workspaces.update(team.owner, team.slug, name="  Acme & Söhne ")
    assert second == replace(first, name="Acme & Söhne")
    third = await workspaces.update(team.owner, team.slug, business_hours=None)
    assert third == replace(second, business_hours=None) == (await tenancy.seen(team.viewer, team.slug)).workspace


async def test_every_change_has_one_entry_with_the_old_value_and_no_change_has_none(team: Team) -> None:
    for _ in range(2):
        await workspaces.update(team.owner, team.slug, name="Renamed", timezone="UTC")
    assert await entries(team) == [("workspace.updated", {"name": {"before": team.workspace.name, "after": "Renamed"}})]
    assert await audit.first_broken(team.workspace.id) is None


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"name": " "}, ["name"]),
        ({"name": "x" * 101}, ["name"]),
        ({"name": "a\r\nb"}, ["name"]),
        ({"name": "\ud800"}, ["name"]),
        ({"timezone": "Mars/Olympus"}, ["timezone"]),
        ({"timezone": "../../etc/passwd"}, ["timezone"]),
        ({"timezone": ""}, ["timezone"]),
        ({"business_hours": BusinessHours((), "08:00", "18:00")}, ["businessHours.days"]),
        ({"business_hours": BusinessHours(("DOOMSDAY",), "08:00", "18:00")}, ["businessHours.days"]),
        ({"business_hours": replace(HOURS, opens="8:00", closes="24:00")}, ["businessHours.opens", "businessHours.closes"]),
        ({"business_hours": replace(HOURS, opens="08:00\n")}, ["businessHours.opens"]),
        ({"business_hours": replace(HOURS, opens="18:30")}, ["businessHours.closes"]),
        ({"name": "", "timezone": "x", "business_hours": replace(HOURS, days=())}, ["name", "timezone", "businessHours.days"]),
    ],
)
async def test_every_fault_is_reported_at_its_field_and_nothing_is_changed(
    team: Team, change: dict[str, Any], fields: list[str]
) -> None:
    with pytest.raises(ValidationFailed) as refusal:
        await workspaces.update(team.owner, team.slug, **change)
    assert [fault.field for fault in refusal.value.fields] == fields
    assert (await tenancy.seen(team.owner, team.slug)).workspace == team.workspace and await entries(team) == []


async def test_only_an_owner_changes_it(team: Team, other_team: Team) -> None:
    for actor in (team.editor, team.viewer):
        with pytest.raises(NotAllowed):
            await workspaces.update(actor, team.slug, name="Mine")
    with pytest.raises(NotFound):
        await workspaces.update(other_team.owner, team.slug, name="Mine")


async def test_the_operator_suspends_and_resumes_with_one_entry_each(team: Team) -> None:
    operator = Actor.operator()
    for _ in range(2):
        suspended = await workspaces.suspend(operator, team.slug)
        assert suspended.suspended_at is not None
    for change in (make_key(team), workspaces.update(team.owner, team.slug, name="x")):
        with pytest.raises(NotAllowed, match="suspended"):
            await change
    for _ in range(2):
        assert await workspaces.resume(operator, team.slug) == team.workspace
    await make_key(team)
    assert [action for action, _ in await entries(team)] == ["key.created", "workspace.resumed", "workspace.suspended"]


async def test_only_the_operator_suspends_and_an_unknown_workspace_is_not_found(team: Team) -> None:
    for change in (workspaces.suspend, workspaces.resume):
        with pytest.raises(NotAllowed):
            await change(team.owner, team.slug)
        with pytest.raises(NotFound):
            await change(Actor.operator(), "nowhere")


async def last_of(actor: Actor) -> Workspace | None:
    found = await workspaces.last_of(actor, await tenancy.mine(actor))
    return found and found.workspace


async def test_users_return_to_their_last_visited_workspace(db: None) -> None:
    user, zebra = await make_owner(workspace="Zebra")
    _, acme = await make_owner(workspace="Acme")
    actor = Actor.user(user.id, user.name)
    assert await last_of(actor) == acme
    for place in (zebra, zebra):
        await workspaces.remember_last(user.id, place.id)
        assert await last_of(actor) == zebra
    async with database.transaction():
        await workspace_store.remove_member(zebra.id, user.id)
    assert await last_of(actor) == acme
    async with database.transaction():
        await workspace_store.remove_member(acme.id, user.id)
    assert await last_of(actor) is None
    assert await last_of(Actor.operator()) is None


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Acme, Inc.", "acme-inc"),
        ("  Ünïcode  & Söhne ", "unicode-sohne"),
        ("日本", "workspace"),
        ("--", "workspace"),
        ("a" * 99, "a" * 40),
    ],
)
def test_a_slug_is_made_of_lower_case_words(name: str, slug: str) -> None:
    assert slug_for(name) == slug
