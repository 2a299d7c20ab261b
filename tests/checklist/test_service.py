"""The checklist over a real database: computed from keys, use and rotations; confirmed; mended by removing permissions."""

from __future__ import annotations

import pytest

from app import clock, database
from app.audit import service as audit
from app.checklist import service
from app.checklist.item import Checklist, ItemName, Remedy
from app.clock import DAY, HOUR
from app.errors import Conflict, NotAllowed, NotFound, ValidationFailed
from app.keys import service as keys
from app.keys.key import ApiKey, Reason
from app.members import service as members
from app.rotations import service as rotations
from app.usage import log
from app.usage import store as usage_store
from app.usage.counters import CounterBatch, Use
from app.versions import Stale
from tests.conftest import Team, make_key, make_team
from tests.support.access import seen
from tests.support.statements import counted

NOW = 1_793_000_000_000_000


@pytest.fixture(autouse=True)
async def clock_stands(db: None) -> None:
    database.freeze(NOW)


async def old_key(team: Team, name: str = "Old", days: int = 40, **changes: object) -> ApiKey:
    database.freeze(NOW - days * DAY)
    made = (await make_key(team, name, **changes)).key
    database.freeze(NOW)
    return made


async def ask(key: ApiKey, permission: str, outcome: str = "VALID", days_ago: int = 1) -> None:
    tally = CounterBatch()
    tally.count(key.id, NOW - days_ago * DAY, permission, outcome)
    async with database.transaction():
        await usage_store.add(tally)


async def checklist(team: Team) -> Checklist:
    return await service.of_workspace(await seen(team.viewer, team.slug))


async def breaking(team: Team, name: ItemName) -> dict[str, Remedy | None]:
    return {each.name: each.remedy for each in (await checklist(team)).result(name).breaches}


async def test_a_permission_is_used_when_any_request_asked_for_it_within_ninety_days(team: Team) -> None:
    key = await old_key(team, days=200, environment="staging")
    await ask(key, "pdf.read", "FAILED", days_ago=90)
    await ask(key, "pdf.generate", days_ago=91)
    result = (await checklist(team)).result(ItemName.LEAST_PERMISSIONS)
    assert [(each.key_id, each.permissions) for each in result.breaches] == [(key.id, ("pdf.generate",))]
    await ask(key, "pdf.generate", "SUSPENDED")
    assert await breaking(team, ItemName.LEAST_PERMISSIONS) == {}


async def test_only_living_keys_of_the_workspace_that_are_thirty_days_old_are_judged_by_use(team: Team) -> None:
    rival = await make_team("rival")
    await old_key(rival, "Theirs")
    await old_key(team, "New", days=29)
    gone = await old_key(team, "Gone")
    await keys.revoke(team.owner, gone.id, Reason.NO_LONGER_NEEDED)
    assert await breaking(team, ItemName.LEAST_PERMISSIONS) == {}
    await old_key(team, "Unused", days=30)
    suspended = await old_key(team, "Suspended", permissions=("pdf.read", "pdf.delete"))
    await ask(suspended, "pdf.read")
    await keys.suspend(team.owner, suspended.id)
    found = await breaking(team, ItemName.LEAST_PERMISSIONS)
    assert found == {"Unused": Remedy.REVOKE, "Suspended": Remedy.TRIM_PERMISSIONS}


async def test_a_request_that_was_just_answered_counts_for_the_checklist_and_against_trimming(team: Team) -> None:
    key = await old_key(team)
    await ask(key, "pdf.read")
    assert await breaking(team, ItemName.LEAST_PERMISSIONS) == {"Old": Remedy.TRIM_PERMISSIONS}
    await log.current().append([Use(key.id, clock.hour_of(NOW), "pdf.generate", "VALID", "", "curl", 1, NOW, NOW, None)])
    with pytest.raises(ValidationFailed, match="was used"):
        await service.trim(team.editor, key.id, ["pdf.generate"])
    assert await breaking(team, ItemName.LEAST_PERMISSIONS) == {}


async def test_a_key_refused_in_another_environment_within_thirty_days_is_named(team: Team) -> None:
    await make_key(team, "Live")
    key = await old_key(team, environment="staging")
    await ask(key, "pdf.read", "ENVIRONMENT_NOT_ALLOWED", days_ago=31)
    assert await breaking(team, ItemName.ENVIRONMENTS_SEPARATED) == {}
    await ask(key, "pdf.read", "ENVIRONMENT_NOT_ALLOWED", days_ago=30)
    assert await breaking(team, ItemName.ENVIRONMENTS_SEPARATED) == {"Old": None}
    await keys.revoke(team.owner, key.id, Reason.OTHER)
    assert await breaking(team, ItemName.ENVIRONMENTS_SEPARATED) == {}


async def test_an_overdue_key_is_mended_by_rotating_it_and_the_old_one_by_finishing(team: Team) -> None:
    key = await old_key(team, days=90)
    assert await breaking(team, ItemName.PRODUCTION_ROTATED) == {"Old": Remedy.ROTATE}
    started = await rotations.start(team.editor, key.id, deadline=NOW + HOUR)
    assert await breaking(team, ItemName.PRODUCTION_ROTATED) == {}
    database.freeze(NOW + HOUR)
    assert await breaking(team, ItemName.ROTATED_REVOKED) == {"Old": Remedy.FINISH_ROTATION}
    await rotations.complete(team.editor, started.progress.rotation.id, force=True)
    assert await breaking(team, ItemName.ROTATED_REVOKED) == await breaking(team, ItemName.PRODUCTION_ROTATED) == {}


async def test_a_confirmation_has_its_persons_name_an_audit_entry_and_an_end(team: Team) -> None:
    url = "https://wiki.example.com/keys?page=leaks#steps"
    await service.attest(team.owner, team.slug, ItemName.KEYS_OUT_OF_CODE)
    found = await service.attest(team.editor, team.slug, ItemName.COMPROMISE_PROCESS, runbook_url=f" {url} ")
    assert found == await checklist(team)
    result = found.result(ItemName.COMPROMISE_PROCESS)
    assert result.passed and result.attestation is not None
    assert (result.attestation.by, result.attestation.runbook_url) == (team.editor.ref, url)
    assert result.valid_until == NOW + 180 * DAY
    assert found.result(ItemName.KEYS_OUT_OF_CODE).passed
    newest, _ = await audit.page(await seen(team.owner, team.slug), limit=10)
    assert (newest.action, newest.target, newest.actor.id) == ("checklist.attested", team.workspace.id, team.editor.id)
    assert newest.detail == {
        "item": "COMPROMISE_PROCESS", "title": "There is a process for compromised keys", "runbook_url": url
    }  # fmt: skip
    database.freeze(NOW + 180 * DAY)
    await service.attest(team.owner, team.slug, ItemName.COMPROMISE_PROCESS, runbook_url=url)
    assert (await checklist(team)).result(ItemName.COMPROMISE_PROCESS).passed


async def test_only_editors_and_owners_confirm_and_only_what_data_does_not_show(team: Team) -> None:
    with pytest.raises(NotAllowed):
        await service.attest(team.viewer, team.slug, ItemName.KEYS_OUT_OF_CODE)
    for name in ItemName:
        if name not in (ItemName.KEYS_OUT_OF_CODE, ItemName.COMPROMISE_PROCESS):
            with pytest.raises(ValidationFailed):
                await service.attest(team.owner, team.slug, name)
    with pytest.raises(NotFound):
        await service.attest((await make_team("rival")).owner, team.slug, ItemName.KEYS_OUT_OF_CODE)
    assert await database.fetch("SELECT item FROM checklist_attestation") == []
    assert await audit.page(await seen(team.owner, team.slug), limit=10) == []


@pytest.mark.parametrize(
    "url",
    [
        "", "  ", "http://example.com", "javascript:alert(1)", "https://", "https:///path", "//example.com", "https:example.com",
        "https://user:word@example.com", "https://user@example.com", "https://exa mple.com", "https://example.com\\@evil.example",
        "https://example.com/\nx", "https://example.com:port", "https://[::1", "ftp://example.com",
        "https://example.com/" + "a" * 500,
        "https://example.com/fl_live_" + "a" * 38, "https://example.com/‮gpj", 'https://example.com/"onclick',
    ],
)  # fmt: skip
async def test_only_an_https_address_is_a_link_to_the_process(team: Team, url: str) -> None:
    with pytest.raises(ValidationFailed) as refusal:
        await service.attest(team.owner, team.slug, ItemName.COMPROMISE_PROCESS, runbook_url=url)
    assert [fault.field for fault in refusal.value.fields] == ["runbookUrl"]
    assert await database.fetch("SELECT item FROM checklist_attestation") == []


async def test_another_item_takes_no_link(team: Team) -> None:
    with pytest.raises(ValidationFailed):
        await service.attest(team.owner, team.slug, ItemName.KEYS_OUT_OF_CODE, runbook_url="https://example.com")


async def test_a_key_found_in_a_repository_calls_for_another_confirmation(team: Team) -> None:
    await service.attest(team.owner, team.slug, ItemName.KEYS_OUT_OF_CODE)
    key = await old_key(team)
    database.freeze(NOW + 1)
    await keys.revoke(team.owner, key.id, Reason.COMMITTED_TO_REPOSITORY)
    assert await breaking(team, ItemName.KEYS_OUT_OF_CODE) == {"Old": None}
    database.freeze(NOW + 2)
    assert (await service.attest(team.owner, team.slug, ItemName.KEYS_OUT_OF_CODE)).result(ItemName.KEYS_OUT_OF_CODE).passed


async def test_trimming_removes_unused_permissions_with_one_audit_entry_and_editing_undoes_it(team: Team) -> None:
    key = await old_key(team, permissions=("pdf.generate", "pdf.read", "pdf.delete"))
    await ask(key, "pdf.read")
    access = await seen(team.editor, team.slug)
    assert (await service.use_of(access, key)).requests == (("pdf.generate", 0), ("pdf.read", 1), ("pdf.delete", 0))
    before = len(await audit.about(access, key.id))
    found = await service.trim(team.editor, key.id, ["pdf.delete", "template.read"], expected=key.version)
    assert found.permissions == ("pdf.generate", "pdf.read")
    assert await breaking(team, ItemName.LEAST_PERMISSIONS) == {"Old": Remedy.TRIM_PERMISSIONS}
    assert (await service.trim(team.editor, key.id, ["pdf.generate", "pdf.delete"])).permissions == ("pdf.read",)
    assert await breaking(team, ItemName.LEAST_PERMISSIONS) == {}
    entries = await audit.about(access, key.id)
    assert len(entries) == before + 2 and {entry.action for entry in entries[:2]} == {"key.updated"}
    assert entries[0].detail == {"permissions": {"before": ["pdf.generate", "pdf.read"], "after": ["pdf.read"]}}
    await service.trim(team.editor, key.id, ["pdf.generate", "pdf.delete"])
    assert len(await audit.about(access, key.id)) == before + 2
    await keys.update(team.editor, key.id, {"permissions": key.permissions})
    assert (await keys.get(team.editor, key.id)).permissions == key.permissions


async def test_what_was_used_all_permissions_none_and_a_stale_form_are_refused(team: Team) -> None:
    key = await old_key(team, permissions=("pdf.generate", "pdf.read", "pdf.delete"))
    await ask(key, "pdf.read", "PERMISSION_DENIED", days_ago=89)
    for removed, word in ((["pdf.read", "pdf.delete"], "pdf.read was used"), ([], "at least one")):
        with pytest.raises(ValidationFailed, match=word):
            await service.trim(team.editor, key.id, removed)
    with pytest.raises(Stale):
        await service.trim(team.editor, key.id, ["pdf.delete"], expected="an older version")
    unused = await old_key(team, "Unused")
    with pytest.raises(ValidationFailed, match="revoke it"):
        await service.trim(team.editor, unused.id, unused.permissions)
    with pytest.raises(NotAllowed):
        await service.trim(team.viewer, key.id, ["pdf.delete"])
    with pytest.raises(NotFound):
        await service.trim((await make_team("rival")).owner, key.id, ["pdf.delete"])
    assert await keys.get(team.editor, key.id) == key and await keys.get(team.editor, unused.id) == unused


async def test_a_key_that_is_too_new_or_has_ended_is_not_trimmed(team: Team) -> None:
    new, over = await old_key(team, "New", days=29), await old_key(team, "Over")
    await keys.revoke(team.owner, over.id, Reason.OTHER)
    for key in (new, over):
        with pytest.raises(Conflict):
            await service.trim(team.editor, key.id, ["pdf.read"])


async def test_a_visit_is_stored_once_a_day_and_counts_while_its_user_is_a_member(team: Team) -> None:
    await make_key(team)
    assert not (await checklist(team)).result(ItemName.USAGE_REVIEWED).passed
    for at in (NOW, NOW + HOUR, NOW + DAY + 1):
        database.freeze(at)
        await service.note_visit(await seen(team.viewer, team.slug))
        (row,) = await database.fetch("SELECT account, at FROM usage_visit")
        assert row == {"account": team.viewer.id, "at": NOW if at < NOW + DAY else at}
    result = (await service.of_workspace(await seen(team.owner, team.slug))).result(ItemName.USAGE_REVIEWED)
    assert result.passed and [(each.user_id, each.name) for each in result.visits] == [(team.viewer.id, team.viewer.name)]
    await members.remove(team.owner, team.slug, team.viewer.id)
    result = (await service.of_workspace(await seen(team.owner, team.slug))).result(ItemName.USAGE_REVIEWED)
    assert not result.passed and result.visits == ()


async def test_the_number_of_statements_does_not_depend_on_the_number_of_keys(team: Team) -> None:
    access, sizes = await seen(team.viewer, team.slug), []
    for number in range(6):
        if number in (1, 5):
            with counted() as statements:
                await service.of_workspace(access)
            sizes.append(len(statements))
        await ask(await old_key(team, f"Key {number}"), "pdf.read")
    assert sizes[0] == sizes[1] <= 7


async def test_a_viewer_reads_the_checklist_and_a_stranger_does_not(team: Team) -> None:
    assert (await checklist(team)).total == 8
    with pytest.raises(NotFound):
        await seen((await make_team("rival")).owner, team.slug)
