"""Owners of keys: who is responsible at first, who can be, and what remains of one who has left."""

from __future__ import annotations

import pytest

from app import database
from app.access.actor import Actor, Scope
from app.audit import service as audit
from app.clock import DAY
from app.errors import Conflict, ValidationFailed
from app.keys import service as keys
from app.keys.filters import KeyFilter
from app.keys.key import KeySettings, Owner
from app.management_keys import service as management_keys
from app.management_keys.management_key import ManagementKeyInput
from app.members import service as members
from app.paging import Window
from app.rotations import service as rotations
from tests.conftest import Team, make_key
from tests.support.access import seen

ASKED = KeySettings("One", "production", ("pdf.read",))


def member(actor: Actor) -> tuple[str, str, bool]:
    return actor.id, actor.name, True


def shown(owner: Owner | None) -> tuple[str, str, bool] | None:
    return (owner.id, owner.name, owner.is_member) if owner else None


async def test_a_key_belongs_to_who_creates_it_or_made_the_management_key_that_does(team: Team) -> None:
    by_hand = await keys.create(team.editor, team.slug, ASKED)
    until = await database.now() + DAY
    made, _ = await management_keys.create(team.owner, team.slug, ManagementKeyInput("CI", (Scope.KEYS_WRITE,), until))
    by_program = await keys.create(made.actor(team.owner.request), None, ASKED)
    for created, actor in ((by_hand, team.editor), (by_program, team.owner)):
        assert shown(created.key.owner) == member(actor)
        assert shown((await keys.get(team.viewer, created.key.id)).owner) == member(actor)
    by_operator = await keys.create(Actor.operator(), team.slug, ASKED)
    assert (await keys.get(team.viewer, by_operator.key.id)).owner is None


async def test_any_member_can_be_the_owner_and_nobody_else(team: Team, other_team: Team) -> None:
    key = (await keys.create(team.owner, team.slug, ASKED)).key
    changed = await keys.update(team.editor, key.id, {"owner": Owner(team.viewer.id)})
    assert shown(changed.owner) == member(team.viewer) and changed == await keys.get(team.owner, key.id)
    newest = (await audit.about(await seen(team.owner, team.slug), key.id))[0]
    assert newest.detail == {
        "owner": {"before": f"{team.owner.name} ({team.owner.id})", "after": f"{team.viewer.name} ({team.viewer.id})"}
    }
    for stranger in (other_team.owner.id, "usr_" + "a" * 20, "", key.id):
        for attempt in (
            keys.update(team.owner, key.id, {"owner": Owner(stranger), "name": ""}),
            keys.create(team.owner, team.slug, KeySettings("", "production", ("pdf.read",), owner=Owner(stranger))),
        ):
            with pytest.raises(ValidationFailed) as refusal:
                await attempt
            assert [fault.field for fault in refusal.value.fields] == ["owner", "name"]
    assert await keys.get(team.owner, key.id) == changed
    assert (await keys.update(team.owner, key.id, {"owner": None})).owner is None


async def test_an_owner_who_leaves_stays_named_and_other_settings_can_still_be_changed(team: Team) -> None:
    key = (await make_key(team, owner=Owner(team.editor.id))).key
    version = key.version
    await members.remove(team.owner, team.slug, team.editor.id)
    left = await keys.get(team.owner, key.id)
    assert shown(left.owner) == (team.editor.id, team.editor.name, False) and left.version == version
    renamed = await keys.update(team.owner, key.id, {"name": "Renamed", "owner": Owner(team.editor.id)}, expected=version)
    assert (renamed.name, shown(renamed.owner)) == ("Renamed", shown(left.owner))
    with pytest.raises(ValidationFailed):
        await make_key(team, owner=Owner(team.editor.id))
    await keys.update(team.owner, key.id, {"owner": Owner(team.owner.id)})
    with pytest.raises(ValidationFailed):
        await keys.update(team.owner, key.id, {"owner": Owner(team.editor.id)})


async def test_a_successor_has_the_same_owner_after_a_rotation_by_another(team: Team) -> None:
    key = (await make_key(team, owner=Owner(team.viewer.id))).key
    successor = (await rotations.start(team.editor, key.id)).progress.successor
    assert shown((await keys.get(team.owner, successor.id)).owner) == member(team.viewer)


async def test_keys_are_found_by_their_owner(team: Team) -> None:
    await make_key(team, "Mine")
    await make_key(team, "Theirs", owner=Owner(team.viewer.id))
    access = await seen(team.viewer, team.slug)
    for owner, found in ((team.viewer.id, {"Theirs"}), (team.owner.id, {"Mine"}), (team.editor.id, set[str]())):
        filter = KeyFilter(owner=owner)
        assert {key.name for key in (await keys.page(access, Window(10), filter)).items} == found
        assert await keys.count(access, filter) == len(found)


async def test_the_owner_is_part_of_the_request_that_an_idempotency_key_names(team: Team) -> None:
    first = await keys.create(team.owner, team.slug, ASKED, idempotency_key="one")
    again = await keys.create(team.owner, team.slug, ASKED, idempotency_key="one")
    assert again.key == first.key
    with pytest.raises(Conflict):
        other = KeySettings("One", "production", ("pdf.read",), owner=Owner(team.viewer.id))
        await keys.create(team.owner, team.slug, other, idempotency_key="one")
