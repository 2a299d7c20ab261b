"""Management keys: valid while live, never with more rights than their creator, one audit entry for each change."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from app import catalogue, database, runtime
from app.access.actor import Actor, ActorKind, Request, Scope
from app.access.policy import Action
from app.audit import service as audit
from app.clock import DAY, MINUTE
from app.errors import Conflict, NotAllowed, NotAuthenticated, NotFound, ValidationFailed
from app.keys.secret import class_of, generate
from app.management_keys import service
from app.management_keys.management_key import LONGEST_LIFE_DAYS, MOST_LIVING, ManagementKey, ManagementKeyInput, Status
from app.paging import Window
from app.peppers import service as peppers
from app.peppers.pepper import Pepper, Peppers
from app.tenancy import service as tenancy
from tests.conftest import Team, make_key
from tests.support.access import seen

REQUEST = Request("203.0.113.9", "ci/1", "req_x")


async def make(team: Team, name: str = "CI", *scopes: str, days: int = 30, actor: Actor | None = None) -> tuple[ManagementKey, str]:
    asked = ManagementKeyInput(name, scopes or ("keys.read",), await database.now() + days * DAY)
    return await service.create(actor or team.owner, team.slug, asked)


async def entries(team: Team) -> list[tuple[str, str]]:
    return [(entry.action, entry.target) for entry in await audit.page(await seen(team.owner, team.slug), limit=100)]


async def test_a_key_acts_for_its_creator_within_its_scopes_and_workspace(team: Team) -> None:
    key, secret = await make(team, "CI", "keys.write", "keys.read", "keys.read")
    assert class_of(secret, ("fl",)) == "mgmt" and secret.startswith(key.prefix)
    actor = await service.authenticate(secret, REQUEST)
    assert (actor.kind, actor.id, actor.name, actor.user_id) == (ActorKind.MANAGEMENT_KEY, key.id, "CI", team.owner.user_id)
    assert (actor.workspace_id, actor.scopes, actor.request) == (team.workspace.id, {Scope.KEYS_READ, Scope.KEYS_WRITE}, REQUEST)


async def test_no_other_text_authenticates(team: Team) -> None:
    _, secret = await make(team)
    for text in (
        "",
        "x",
        secret[:-1],
        secret + "0",
        secret.upper(),
        f" {secret}",
        generate("fl", "mgmt"),
        (await make_key(team)).secret or "",
    ):
        with pytest.raises(NotAuthenticated):
            await service.authenticate(text, REQUEST)


async def test_texts_of_another_shape_are_never_looked_up(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    async def looked_up(*args: object) -> None:
        raise AssertionError("asked the database")

    monkeypatch.setattr("app.management_keys.store.find_by_digest", looked_up)
    for text in ("fl_mgmt_" + "0" * 38, generate("fl", "live"), generate("fl", "gate"), generate("zz", "mgmt")):
        with pytest.raises(NotAuthenticated):
            await service.authenticate(text, REQUEST)


async def test_a_key_ends_when_it_expires_and_when_it_is_revoked(team: Team) -> None:
    expiring, secret = await make(team)
    database.freeze(expiring.expires_at - 1)
    await service.authenticate(secret, REQUEST)
    database.freeze(expiring.expires_at)
    with pytest.raises(NotAuthenticated):
        await service.authenticate(secret, REQUEST)
    database.freeze(None)
    revoked = await service.revoke(team.owner, expiring.id)
    assert revoked.status(await database.now()) is Status.REVOKED
    with pytest.raises(NotAuthenticated):
        await service.authenticate(secret, REQUEST)
    assert await service.revoke(team.owner, expiring.id) == revoked
    assert (await entries(team))[:2] == [("management_key.revoked", expiring.id), ("management_key.created", expiring.id)]


@pytest.mark.parametrize(
    ("change", "field", "code"),
    [
        ({"name": ""}, "name", "REQUIRED"),
        ({"name": "x" * 101}, "name", "TOO_LONG"),
        ({"name": "a\nb"}, "name", "INVALID"),
        ({"scopes": ()}, "scopes", "REQUIRED"),
        ({"scopes": ("keys.read", "keys.reed")}, "scopes", "UNKNOWN"),
        ({"expires_at": 0}, "expiresAt", "IN_THE_PAST"),
        ({"expires_at": 2**60}, "expiresAt", "TOO_LATE"),
        ({"allowed_ips": ("203.0.113.0/33",)}, "allowedIps", "INVALID"),
        ({"allowed_ips": ("fe80::1%eth0",)}, "allowedIps", "INVALID"),
        ({"allowed_ips": ("203.0.113.9",) * 51}, "allowedIps", "TOO_MANY"),
    ],
)
async def test_invalid_settings_of_a_key_are_reported_at_their_field(
    team: Team, change: dict[str, Any], field: str, code: str
) -> None:
    good = ManagementKeyInput("CI", ("keys.read",), await database.now() + DAY)
    with pytest.raises(ValidationFailed) as refusal:
        await service.create(team.owner, team.slug, replace(good, **change))
    assert [(fault.field, fault.code) for fault in refusal.value.fields] == [(field, code)]
    assert await service.count(await seen(team.owner, team.slug)) == 0 and await entries(team) == []


async def test_a_key_is_valid_for_a_year_at_most(team: Team) -> None:
    now = await database.now()
    database.freeze(now)
    await service.create(team.owner, team.slug, ManagementKeyInput("CI", ("keys.read",), now + LONGEST_LIFE_DAYS * DAY))
    with pytest.raises(ValidationFailed):
        await service.create(team.owner, team.slug, ManagementKeyInput("CI", ("keys.read",), now + LONGEST_LIFE_DAYS * DAY + 1))


async def test_only_an_owner_creates_sees_and_revokes_keys(team: Team, other_team: Team) -> None:
    key, secret = await make(team, "CI", *Scope)
    program = await service.authenticate(secret, REQUEST)
    for actor in (team.editor, team.viewer, program):
        with pytest.raises(NotAllowed):
            await make(team, actor=actor)
        with pytest.raises(NotAllowed):
            await service.page(await seen(actor, team.slug), Window(1))
        with pytest.raises(NotAllowed):
            await service.revoke(actor, key.id)
    with pytest.raises(NotFound, match="management key"):
        await service.revoke(other_team.owner, key.id)
    with pytest.raises(NotFound, match="management key"):
        await service.get(other_team.owner, key.id)
    assert await service.get(program, key.id) == replace(key, last_used_at=(await service.get(team.owner, key.id)).last_used_at)


async def test_the_number_of_live_keys_in_a_workspace_is_limited(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "MOST_LIVING", 2)
    assert MOST_LIVING == 100
    first, _ = await make(team)
    await make(team)
    with pytest.raises(Conflict):
        await make(team)
    await service.revoke(team.owner, first.id)
    await make(team)


async def test_concurrent_creations_do_not_exceed_that_limit(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "MOST_LIVING", 3)
    found = await asyncio.gather(*(make(team) for _ in range(10)), return_exceptions=True)
    assert sum(isinstance(each, Conflict) for each in found) == 7
    assert await service.count(await seen(team.owner, team.slug)) == 3


async def test_the_last_use_is_exact_to_the_minute_and_written_at_most_once_a_minute(team: Team) -> None:
    key, secret = await make(team)
    used = await database.now()
    # At the end the clock, which was a day ahead, is right again.
    later = [(instant, instant) for instant in (used + MINUTE, used + DAY, used + 2 * MINUTE)]
    for instant, expected in ((used, used), (used + MINUTE - 1, used), *later):
        database.freeze(instant)
        await service.authenticate(secret, REQUEST)
        assert (await service.get(team.owner, key.id)).last_used_at == expected


async def test_a_use_moves_the_digest_to_the_current_pepper(team: Team) -> None:
    _, secret = await make(team)
    before = peppers.current()
    new = Pepper(before.current.version + 1, b"another pepper, as long as it has to be")
    runtime.put(Peppers(new, before.current))
    await service.authenticate(secret, REQUEST)
    runtime.put(Peppers(new))
    await service.authenticate(secret, REQUEST)
    runtime.put(before)
    with pytest.raises(NotAuthenticated):
        await service.authenticate(secret, REQUEST)


async def test_the_keys_of_a_removed_member_are_taken_over_or_revoked(team: Team, other_team: Team) -> None:
    kept, kept_secret = await make(team, "kept")
    ended, ended_secret = await make(team, "ended")
    operators, _ = await make(team, "operator's", actor=Actor.operator())
    theirs, _ = await make(other_team)
    for foreign in (operators.id, theirs.id, "mgk_unknown"):
        with pytest.raises(ValidationFailed):
            async with tenancy.changing(team.owner, team.slug, Action.REMOVE_MEMBER) as change:
                await service.hand_over_or_revoke(change, team.owner.id, team.editor, [kept.id, foreign])
    async with tenancy.changing(team.owner, team.slug, Action.REMOVE_MEMBER) as change:
        handover = await service.hand_over_or_revoke(change, team.owner.id, team.editor, [kept.id])
    assert ([key.id for key in handover.taken_over], [key.id for key in handover.revoked]) == ([kept.id], [ended.id])
    assert (await service.authenticate(kept_secret, REQUEST)).user_id == team.editor.id
    with pytest.raises(NotAuthenticated):
        await service.authenticate(ended_secret, REQUEST)
    assert (await service.get(team.owner, operators.id)).revoked_at is None
    assert {action for action, _ in (await entries(team))[:2]} == {"management_key.taken_over", "management_key.revoked"}


async def test_only_the_prefix_of_a_secret_is_stored(team: Team) -> None:
    _, secret = await make(team)
    tables = ("management_key", "audit_entry")
    stored = str([await database.fetch(f"SELECT * FROM {table}") for table in tables])
    assert secret[:12] in stored and secret[:13] not in stored and secret[13:] not in stored


async def test_pages_work_in_both_directions(team: Team) -> None:
    made = [(await make(team, f"key {number}"))[0] for number in range(5)][::-1]

    async def page(**window: Any) -> list[str]:
        return [key.id for key in (await service.page(await seen(team.owner, team.slug), Window(**window))).items]

    newest = [key.id for key in made]
    assert await page(limit=3) == newest[:3]
    place = (made[2].created_at, made[2].id)
    assert await page(limit=9, after=place) == newest[3:]
    assert await page(limit=9, before=place) == newest[:2]
    assert await page(limit=2, backwards=True) == newest[3:]
    assert await page(limit=1, before=place, backwards=True) == [newest[1]]


def test_the_scopes_are_those_of_the_table() -> None:
    assert [str(scope) for scope in Scope] == [
        "keys.read",
        "keys.write",
        "usage.read",
        "audit.read",
        "workspace.read",
        "workspace.write",
    ]
    assert catalogue.current
