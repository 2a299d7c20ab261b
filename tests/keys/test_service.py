"""The use cases of API keys, on the database under test."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from app import catalogue, clock, database, reconcile, runtime
from app.audit import service as audit
from app.audit import store as audit_store
from app.errors import Conflict, NotAllowed, NotFound, PlanLimitReached, ValidationFailed
from app.journal import file as journal
from app.keys import service as keys
from app.keys.filters import KeyFilter, Order, position_of
from app.keys.idempotency import IDEMPOTENCY_LASTS
from app.keys.key import KeySettings, Reason, Status
from app.paging import Window
from app.plans import service as plans
from tests.conftest import Team, make_key, make_team
from tests.support.access import seen

PRODUCTION = KeySettings("Production server", "production", ("pdf.generate", "pdf.read"))


async def test_a_new_key_is_active_shown_by_prefix_and_never_used(team: Team) -> None:
    created = await keys.create(team.editor, team.slug, PRODUCTION)
    assert created.secret is not None
    assert created.secret.startswith(created.key.prefix)
    assert len(created.key.prefix) == len("fl_live_a1b2")
    assert created.key.status(await database.now()) is Status.ACTIVE
    assert created.key.last_used_at is None
    assert await keys.get(team.viewer, created.key.id) == created.key


async def test_a_viewer_cannot_create_a_key_and_nothing_is_written(team: Team) -> None:
    with pytest.raises(NotAllowed):
        await keys.create(team.viewer, team.slug, PRODUCTION)
    assert await keys.count(await seen(team.owner, team.slug)) == 0
    assert await audit_store.newest(team.workspace.id, limit=5) == []


async def test_every_fault_of_an_input_is_reported_at_its_field(team: Team) -> None:
    bad = KeySettings(" ", "moon", ("pdf.fly",), expires_at=1, allowed_ips=("999.1.1.1",))
    with pytest.raises(ValidationFailed) as refused:
        await keys.create(team.owner, team.slug, bad)
    assert {field.field for field in refused.value.fields} == {"name", "environment", "permissions", "expiresAt", "allowedIps"}


async def test_a_temporary_key_must_expire_within_its_environments_days(team: Team) -> None:
    now = await database.now()
    for expires_at, code in ((None, "REQUIRED"), (now + 91 * clock.DAY, "TOO_LATE"), (now - 1, "IN_THE_PAST")):
        with pytest.raises(ValidationFailed) as refused:
            await keys.create(team.owner, team.slug, KeySettings("x", "temporary", ("pdf.read",), expires_at=expires_at))
        assert [(field.field, field.code) for field in refused.value.fields] == [("expiresAt", code)]
    made = await keys.create(team.owner, team.slug, KeySettings("x", "temporary", ("pdf.read",), expires_at=now + clock.DAY))
    assert made.key.status(now + clock.DAY - 1) is Status.ACTIVE
    assert made.key.status(now + clock.DAY) is Status.EXPIRED


async def test_a_key_beyond_the_plans_limit_is_refused_with_the_plans_that_would_allow_it(db: None) -> None:
    free = await make_team("small", plan="free")
    made = await make_key(free)
    with pytest.raises(PlanLimitReached) as refused:
        await make_key(free)
    assert (refused.value.limit, refused.value.used) == (1, 1)
    assert refused.value.upgrade_to == ("starter", "growth", "scale", "scale_business", "scale_enterprise")
    await keys.suspend(free.owner, made.key.id)
    with pytest.raises(PlanLimitReached):
        await make_key(free)
    await keys.revoke(free.owner, made.key.id, Reason.NO_LONGER_NEEDED)
    await make_key(free)


async def test_an_expired_key_takes_no_slot(db: None) -> None:
    free = await make_team("small", plan="free")
    now = await database.now()
    await make_key(free, environment="temporary", permissions=("pdf.read",), expires_at=now + clock.HOUR)
    database.freeze(now + clock.HOUR)
    await make_key(free)
    assert (await plans.meter(await seen(free.owner, free.slug))).used == 1


async def test_the_same_idempotency_key_creates_one_key_and_shows_its_secret_once(team: Team) -> None:
    first = await keys.create(team.owner, team.slug, PRODUCTION, idempotency_key="deploy-7")
    again = await keys.create(team.owner, team.slug, PRODUCTION, idempotency_key="deploy-7")
    assert again.key == first.key
    assert again.secret is None
    spaced = await keys.create(team.owner, team.slug, replace(PRODUCTION, name=f" {PRODUCTION.name} "), idempotency_key="deploy-7")
    assert (spaced.key, spaced.secret) == (first.key, None)
    other = await keys.create(team.editor, team.slug, PRODUCTION, idempotency_key="deploy-7")
    assert other.key.id != first.key.id
    with pytest.raises(Conflict):
        await keys.create(team.owner, team.slug, KeySettings("Else", "production", ("pdf.read",)), idempotency_key="deploy-7")
    database.freeze(await database.now() + IDEMPOTENCY_LASTS + clock.SECOND)
    assert (await keys.create(team.owner, team.slug, PRODUCTION, idempotency_key="deploy-7")).secret is not None


async def test_revoking_is_final_idempotent_audited_once_and_journalled(team: Team) -> None:
    made = await make_key(team)
    revoked = await keys.revoke(team.editor, made.key.id, Reason.EXPOSED_IN_LOGS, "seen in a paste")
    again = await keys.revoke(team.owner, made.key.id, Reason.OTHER)
    assert again == revoked
    assert revoked.revocation is not None
    for change in (keys.suspend, keys.resume):
        with pytest.raises(Conflict):
            await change(team.owner, made.key.id)
    with pytest.raises(Conflict):
        await keys.update(team.owner, made.key.id, {"name": "Risen"})
    entries = await audit.about(await seen(team.viewer, team.slug), made.key.id)
    assert [entry.action for entry in entries] == ["key.revoked", "key.created"]
    lines = [json.loads(line) for line in journal.current().path.read_text().splitlines()]
    assert [line["reason"] for line in lines if line.get("key") == made.key.id] == ["EXPOSED_IN_LOGS"]


async def test_missing_journal_lines_are_added_from_the_database(team: Team, tmp_path: Path) -> None:
    made = await make_key(team)
    await keys.revoke(team.owner, made.key.id, Reason.OTHER)
    path = tmp_path / "revocations.jsonl"
    path.write_text('{"key": "key_cut')
    fresh = journal.Journal(path)
    assert await reconcile.catch_up(fresh) == 1
    assert made.key.id in journal.read(path)
    assert await reconcile.catch_up(fresh) == 0


async def test_a_revocation_is_in_effect_even_if_the_journal_cannot_be_written(team: Team) -> None:
    made = await make_key(team)
    broken = journal.Journal(journal.current().path)
    runtime.put(broken)
    path, broken.path = broken.path, broken.path.parent
    revoked = await keys.revoke(team.owner, made.key.id, Reason.OTHER)
    assert revoked.revocation is not None
    assert broken.failing is not None
    broken.path = path
    assert await reconcile.catch_up(broken) == 1
    assert broken.failing is None


async def test_an_edit_changes_what_it_names_and_the_audit_entry_shows_before_and_after(team: Team) -> None:
    made = await make_key(team)
    edited = await keys.update(team.editor, made.key.id, {"name": "Renamed", "allowed_ips": ("203.0.113.9", "2001:db8::/48")})
    assert (edited.name, edited.allowed_ips, edited.permissions) == (
        "Renamed",
        ("203.0.113.9/32", "2001:db8::/48"),
        made.key.permissions,
    )
    assert await keys.get(team.owner, made.key.id) == edited
    newest = (await audit.about(await seen(team.owner, team.slug), made.key.id))[0]
    assert newest.detail["name"] == {"before": "Production server", "after": "Renamed"}
    assert "permissions" not in newest.detail
    await keys.update(team.editor, made.key.id, {"name": "Renamed"})
    assert (await audit.about(await seen(team.owner, team.slug), made.key.id))[0] == newest


async def test_another_workspaces_key_is_not_found_with_the_same_message_as_an_unknown_one(team: Team, other_team: Team) -> None:
    theirs = (await make_key(other_team)).key.id
    nobodys = "key_" + "a" * 20
    said = set()
    for key_id in (theirs, nobodys, "usr_" + "a" * 20, "", "key_\x00", "🗝"):
        for attempt in (
            keys.get(team.owner, key_id),
            keys.find(await seen(team.owner, team.slug), key_id),
            keys.suspend(team.owner, key_id),
            keys.revoke(team.owner, key_id, Reason.OTHER),
            keys.update(team.owner, key_id, {"name": "Mine"}),
        ):
            with pytest.raises(NotFound) as refused:
                await attempt
            said.add(refused.value.message)
    assert said == {"There is no such API key."}


@pytest.mark.parametrize("order", list(Order))
@pytest.mark.parametrize("descending", [True, False])
async def test_pages_in_every_order_contain_every_key_once_in_both_directions(team: Team, order: Order, descending: bool) -> None:
    now = await database.now()
    for number, name in enumerate(["b", "Ä", "a", "a", "Z", "ß"]):
        expires_at = now + (number % 3 + 1) * clock.DAY if number % 2 else None
        await make_key(team, name, expires_at=expires_at)
    whole = (await keys.page(await seen(team.viewer, team.slug), Window(100), order=order, descending=descending)).items
    assert len(whole) == 6
    forward, place = [], None
    while True:
        page = await keys.page(await seen(team.viewer, team.slug), Window(2, after=place), order=order, descending=descending)
        forward += page.items
        if not page.has_next:
            break
        place = position_of(page.items[-1], order, catalogue.current())
    assert tuple(forward) == whole
    backward = await keys.page(
        await seen(team.viewer, team.slug),
        Window(4, before=position_of(whole[-1], order, catalogue.current()), backwards=True),
        order=order,
        descending=descending,
    )
    assert backward.items == whole[1:5]
    assert backward.has_previous


async def test_search_finds_by_name_and_by_prefix_and_uses_only_the_prefix_of_a_key(team: Team) -> None:
    made = await make_key(team, "100%_sure")
    other = await make_key(team, "100 percent")
    assert made.secret is not None

    async def found(search: str) -> set[str]:
        return {key.id for key in (await keys.page(await seen(team.viewer, team.slug), Window(10), KeyFilter(search=search))).items}

    assert await found("0%_S") == {made.key.id}
    assert await found("100") == {made.key.id, other.key.id}
    assert await found(made.secret) == {made.key.id}
    assert await found(made.key.prefix + "…") == {made.key.id}
    assert await found("nothing like it") == set()


async def test_filters_by_status_environment_and_permission_return_matching_keys(team: Team) -> None:
    active = (await make_key(team)).key.id
    staging = (await make_key(team, environment="staging", permissions=("template.read",))).key.id
    suspended = (await make_key(team)).key.id
    await keys.suspend(team.owner, suspended)

    async def left(**filter: object) -> set[str]:
        page = await keys.page(await seen(team.viewer, team.slug), Window(10), KeyFilter(**filter))  # type: ignore[arg-type]
        assert await keys.count(await seen(team.viewer, team.slug), KeyFilter(**filter)) == len(page.items)  # type: ignore[arg-type]
        return {key.id for key in page.items}

    assert await left(statuses=(Status.SUSPENDED,)) == {suspended}
    assert await left(statuses=(Status.ACTIVE, Status.SUSPENDED)) == {active, staging, suspended}
    assert await left(environment="staging") == {staging}
    assert await left(permission="template.read") == {staging}
    assert await left(permission="template%") == set()
