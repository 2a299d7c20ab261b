"""Users create further workspaces for themselves: as many as a user may own, exactly."""

from __future__ import annotations

import asyncio

import pytest

from app import catalogue, database, runtime
from app.access.actor import Actor, ActorKind, Role
from app.audit import store as audit_store
from app.errors import Conflict, NotAllowed, NotFound, TooManyAttempts, ValidationFailed
from app.provisioning import deletion, self_service
from app.provisioning.self_service import Allowance
from app.tenancy import service as tenancy
from app.tenancy.workspace import Workspace
from app.workspaces import service as workspaces
from tests.conftest import Team


async def slugs() -> list[str]:
    return [row["slug"] for row in await database.fetch("SELECT slug FROM workspace ORDER BY created_at, slug")]


async def test_a_user_owns_the_new_workspace_alone_and_its_first_audit_entry_says_so(team: Team) -> None:
    made = await self_service.create(team.owner, "  Acme, Inc. ")
    assert (made.name, made.slug, made.plan) == ("Acme, Inc.", "acme-inc", catalogue.FALLBACK_PLAN)
    assert {each.workspace.slug: each.role for each in await tenancy.mine(team.owner)} == {
        "acme": Role.OWNER,
        "acme-inc": Role.OWNER,
    }
    assert [each.workspace.slug for each in await tenancy.mine(team.editor)] == ["acme"]
    (entry,) = await audit_store.newest(made.id, limit=9)
    assert (entry.action, entry.actor.id) == ("workspace.created", team.owner.id)
    assert entry.detail == {"name": "Acme, Inc.", "slug": "acme-inc", "owner": team.owner.id}
    assert await audit_store.newest(team.workspace.id, limit=9) == []


@pytest.mark.parametrize("limit", [1, 3])
async def test_the_limit_is_exact_however_many_are_created_at_once(team: Team, limit: int) -> None:
    with runtime.replaced(Allowance(limit)):
        creating = [self_service.create(team.owner, "Another") for _ in range(20)]
        results = await asyncio.gather(*creating, return_exceptions=True)
        made = [each for each in results if isinstance(each, Workspace)]
        assert len(made) == limit - 1 and len(await slugs()) == limit
        assert all(isinstance(each, Conflict) for each in results if each not in made)
        assert len(self_service.owned(await tenancy.mine(team.owner))) == limit


async def test_the_same_request_is_one_workspace_also_at_once_and_at_the_limit(team: Team) -> None:
    with runtime.replaced(Allowance(2)):
        sending = [self_service.create(team.owner, "Another", idempotency_key="one") for _ in range(20)]
        (made,) = {each.id for each in await asyncio.gather(*sending)}
        assert len(await slugs()) == 2
        with pytest.raises(Conflict, match="another input"):
            await self_service.create(team.owner, "Other", idempotency_key="one")
        with pytest.raises(Conflict, match="A user can own 2 workspaces here, and you own 2"):
            await self_service.create(team.owner, "Another", idempotency_key="two")
        # The idempotency key of one user is not that of another.
        other = await self_service.create(team.viewer, "Another", idempotency_key="one")
        assert other.id != made


async def test_only_workspaces_that_the_user_owns_count_and_a_deleted_one_no_longer_does(team: Team) -> None:
    with runtime.replaced(Allowance(1)):
        first = await self_service.create(team.viewer, "First")
        with pytest.raises(Conflict):
            await self_service.create(team.viewer, "Second")
        await deletion.delete(team.viewer, first.id, first.slug)
        await self_service.create(team.viewer, "Second")
    assert [slug for slug in await slugs() if slug != first.id] == ["acme", "second"]


async def test_the_same_request_after_its_workspace_was_deleted_makes_no_other_one(team: Team) -> None:
    made = await self_service.create(team.owner, "Another", idempotency_key="one")
    await deletion.delete(team.owner, made.id, made.slug)
    with pytest.raises(NotFound):
        await self_service.create(team.owner, "Another", idempotency_key="one")


async def test_with_an_allowance_of_none_only_the_operator_creates_workspaces(team: Team) -> None:
    with runtime.replaced(Allowance(0)):
        assert not self_service.is_open()
        with pytest.raises(NotAllowed, match="Only the operator of Keydesk can create workspaces"):
            await self_service.create(team.owner, "Another")
    assert await slugs() == ["acme"]


async def test_a_suspension_is_not_evaded_by_another_workspace(team: Team) -> None:
    await workspaces.suspend(Actor.operator(), team.slug)
    with pytest.raises(NotAllowed, match="suspended"):
        await self_service.create(team.owner, "Another")
    assert (await self_service.create(team.viewer, "Of someone else")).slug == "of-someone-else"


@pytest.mark.parametrize("kind", [kind for kind in ActorKind if kind is not ActorKind.USER])
async def test_no_other_actor_creates_a_workspace_of_its_own(team: Team, kind: ActorKind) -> None:
    with pytest.raises(NotAllowed):
        await self_service.create(Actor(kind, "x", "X", user_id=team.owner.id), "Another")
    assert await slugs() == ["acme"]


@pytest.mark.parametrize("name", ["", " ", "x" * 101, "a\r\nb"])
async def test_a_bad_name_is_refused_at_its_field_and_nothing_is_made(team: Team, name: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        await self_service.create(team.owner, name)
    assert [fault.field for fault in refused.value.fields] == ["name"]
    assert await slugs() == ["acme"]


async def test_so_many_are_created_in_a_day_also_if_each_is_deleted_again(team: Team) -> None:
    for number in range(30):
        made = await self_service.create(team.owner, f"Number {number}")
        await deletion.delete(team.owner, made.id, made.slug)
    with pytest.raises(TooManyAttempts):
        await self_service.create(team.owner, "One more")
    assert (await self_service.create(team.editor, "Another one's")).name == "Another one's"
