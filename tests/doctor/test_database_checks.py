"""`doctor`: its checks of the database and its contents."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

from app import catalogue, database, reconcile, runtime
from app.access.actor import Actor
from app.audit import checkpoints
from app.audit.checkpoints import Checkpoints
from app.clock import DAY
from app.doctor.database_checks import of_database
from app.doctor.finding import Finding, Level
from app.doctor.service import examine
from app.errors import NotAllowed
from app.gateway_tokens import service as gateway_tokens
from app.journal import file as journal
from app.keys import service as keys
from app.keys.key import Reason
from app.peppers import service as peppers
from app.peppers.pepper import Pepper, Peppers
from app.plans import service as plans
from app.settings import Settings
from tests.conftest import KIND, Team, make_key

OPERATOR = Actor.operator()


async def found(settings: Settings) -> list[Finding]:
    """The findings that are not `ok`, without the one about the role of these tests, which owns the tables."""
    findings = await of_database(OPERATOR, settings)
    return [each for each in findings if each.level is not Level.OK and not each.text.startswith("the role ")]


async def one(settings: Settings) -> tuple[Level, str, str]:
    (finding,) = await found(settings)
    return finding.level, finding.what, finding.text


async def test_a_sound_installation_has_no_findings(settings: Settings, team: Team) -> None:
    await make_key(team)
    assert await found(settings) == []
    texts = [finding.text for finding in await of_database(OPERATOR, settings)]
    kept = ["journal_mode is wal", "synchronous is 2", "foreign_keys is 1"] if KIND == "sqlite" else ["fsync is on"]
    assert set(kept) <= set(texts)
    assert "2 chains, all sound" in texts


async def test_a_broken_chain_fails(settings: Settings, team: Team) -> None:
    await make_key(team)
    async with database.transaction():
        await database.fetch("UPDATE audit_entry SET action = 'nothing' WHERE chain = {}", team.workspace.id)
    level, what, text = await one(settings)
    assert (level, what) == (Level.FAIL, "audit")
    assert text.startswith(f"the chain {team.workspace.id} is broken at entry 1 (aud_")


async def test_checkpoints_that_are_forged_or_too_old_are_reported(settings: Settings, team: Team, tmp_path: Path) -> None:
    with runtime.replaced(Checkpoints(tmp_path / "checkpoints.jsonl")):
        await make_key(team)
        await checkpoints.current().write()
        assert await found(settings) == []
        now = await database.now()
        database.freeze(now + 3 * DAY)
        assert [each for each in await found(settings) if each.what == "audit"] == []
        await make_key(team)
        (old,) = [each for each in await found(settings) if each.what == "audit"]
        assert (old.level, old.text.startswith("the newest checkpoint in ")) == (Level.WARN, True)
        database.freeze(None)
        with checkpoints.current().path.open("a") as file:
            file.write("{}\n")
        level, _, text = await one(settings)
        assert (level, text.startswith("line 2 of ")) == (Level.FAIL, True)


@pytest.mark.skipif(KIND == "sqlite", reason="SQLite has no roles")
async def test_a_role_that_can_change_the_audit_log_is_reported(settings: Settings, team: Team) -> None:
    (finding,) = [each for each in await of_database(OPERATOR, settings) if each.text.startswith("the role ")]
    assert finding.level is Level.WARN and "(UPDATE, DELETE, TRUNCATE, ALTER)" in finding.text


async def test_more_keys_than_the_plan_allows_are_explained_by_a_smaller_plan(settings: Settings, team: Team) -> None:
    await make_key(team, "one")
    await make_key(team, "two")
    await plans.change_plan(OPERATOR, team.slug, "free")
    level, what, text = await one(settings)
    assert (level, what, text) == (Level.WARN, "plans", "acme has 2 keys of 1 on the plan free, since its plan was changed")


async def test_more_keys_than_the_plan_allows_without_a_reason_fail(settings: Settings, team: Team, tmp_path: Path) -> None:
    await make_key(team, "one")
    await make_key(team, "two")
    async with database.transaction():
        await database.fetch("UPDATE workspace SET plan = 'free' WHERE id = {}", team.workspace.id)
    assert await one(settings) == (Level.FAIL, "plans", "acme has 2 keys of 1 on the plan free, and its plan was never changed")
    own = replace(settings, catalogue=tmp_path / "catalogue.toml")
    level, _, text = await one(own)
    assert (level, text) == (Level.WARN, "acme has 2 keys of 1 on the plan free; has the catalogue's limit become smaller?")


async def test_keys_with_names_removed_from_the_catalogue_are_named(settings: Settings, team: Team) -> None:
    offered = catalogue.current()
    created = await make_key(team, environment="staging", permissions=("pdf.read", "pdf.delete"))
    await make_key(team, "another")
    environments = {name: environment for name, environment in offered.environments.items() if name != "staging"}
    permissions = {name: permission for name, permission in offered.permissions.items() if name != "pdf.delete"}
    smaller = replace(offered, environments=MappingProxyType(environments), permissions=MappingProxyType(permissions))
    runtime.put(smaller)
    assert await one(settings) == (
        Level.WARN, "catalogue", f"{created.key.id} holds pdf.delete, staging, no longer in the catalogue",
    )  # fmt: skip


async def test_digests_under_the_previous_pepper_are_counted_and_those_under_no_pepper_fail(settings: Settings, team: Team) -> None:
    before = peppers.current()
    await make_key(team)
    await gateway_tokens.create(OPERATOR, "edge")
    over = await make_key(team, "over", environment="temporary", expires_at=await database.now() + DAY)
    async with database.transaction():
        await database.fetch("UPDATE api_key SET expires_at = 1 WHERE id = {}", over.key.id)
    old = before.current
    runtime.put(Peppers(Pepper(old.version + 1, b"the pepper that comes after the other"), old))
    left = "left under the previous pepper, until each is used once"
    assert [finding.text for finding in await found(settings)] == [f"1 API keys are {left}", f"1 gateway tokens are {left}"]
    # Only the counts: the keys of the chains are still wrapped with the first pepper.
    async with database.transaction():
        await database.fetch("UPDATE api_key SET pepper_version = 99")
    runtime.put(before)
    assert await one(settings) == (Level.FAIL, "pepper", "1 API keys lie under version 99, which is not given: none is accepted")


@pytest.fixture
def written(db: None, tmp_path: Path) -> journal.Journal:
    """A journal for this test alone."""
    own = journal.Journal(tmp_path / "own" / "revocations.jsonl")
    runtime.put(own)
    return own


async def test_a_journal_that_lacks_revocations_or_cannot_be_written_fails(
    settings: Settings, team: Team, written: journal.Journal, tmp_path: Path
) -> None:
    created = await make_key(team)
    await keys.revoke(team.owner, created.key.id, Reason.OTHER)
    assert await found(settings) == []
    written.path.unlink()
    assert await one(settings) == (Level.FAIL, "journal", f"{written.path} has 0 of 1 revocations: some are lacking")
    written.path.mkdir()
    await reconcile.catch_up(written)
    level, what, text = await one(settings)
    assert (level, what) == (Level.FAIL, "journal")
    assert text.startswith(f"cannot be written: {written.path}")


async def test_a_clock_that_was_set_back_fails(settings: Settings, team: Team) -> None:
    database.freeze(await database.now() + DAY)
    await gateway_tokens.create(OPERATOR, "edge")
    database.freeze(None)
    level, what, text = await one(settings)
    assert (level, what) == (Level.FAIL, "clock")
    assert text.endswith("it was set back")


async def test_an_instant_in_the_future_is_a_warning(settings: Settings, team: Team) -> None:
    async with database.transaction():
        await database.fetch("INSERT INTO job (name, until) VALUES ('ahead', {})", await database.now() + DAY)
    level, what, text = await one(settings)
    assert (level, what) == (Level.WARN, "clock")
    assert text.startswith("was ahead: the newest instant of job is ")


@pytest.mark.skipif(KIND != "sqlite", reason="PostgreSQL's disk is not ours to look at")
@pytest.mark.parametrize(("megabytes", "level"), [(255, Level.WARN), (256, Level.OK)])
async def test_little_disk_space_for_the_write_ahead_log_is_a_warning(
    settings: Settings, team: Team, monkeypatch: pytest.MonkeyPatch, megabytes: int, level: Level
) -> None:
    usage = shutil.disk_usage(settings.journal_path.parent)._replace(free=megabytes * 2**20)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    (finding,) = [each for each in await of_database(OPERATOR, settings) if "are free" in each.text]
    assert (finding.level, finding.what) == (level, "database")


async def test_a_clock_that_differs_from_the_databases_fails(settings: Settings, team: Team) -> None:
    database.freeze(await database.now() + DAY)
    level, what, text = await one(settings)
    assert (level, what) == (Level.FAIL, "clock")
    assert text.endswith("expiry goes by the database's. Synchronize both.")


async def test_an_empty_installation_is_told_what_to_do_next(settings: Settings, db: None) -> None:
    levels = {finding.what: finding.level for finding in await found(replace(settings, gateway_tokens=()))}
    assert levels == {"owner": Level.WARN, "gateway tokens": Level.WARN}


async def test_only_the_operator_may_run_it(settings: Settings, team: Team) -> None:
    with pytest.raises(NotAllowed):
        await examine(team.owner, settings)
