"""`audit verify`: checks every chain, and names the first entry that was tampered with."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from app import database
from app.access.actor import Actor
from app.audit import service as audit
from app.downloads import Format
from app.gateway_tokens import service as gateway_tokens
from tests.cli.conftest import Keydesk
from tests.conftest import Team, make_key
from tests.support.access import seen
from tests.support.server import Server

OPERATOR = Actor.operator()


async def test_each_sound_chain_is_reported_as_sound(keydesk: Keydesk, team: Team, node: Server) -> None:
    await make_key(team)
    await gateway_tokens.create(OPERATOR, "edge")
    assert keydesk.json("audit", "verify") == [
        {"chain": "system", "workspace": None, "sound": True, "firstBroken": None, "entry": None, "fault": None},
        {"chain": team.workspace.id, "workspace": "acme", "sound": True, "firstBroken": None, "entry": None, "fault": None},
    ]
    assert keydesk("audit", "verify").splitlines() == ["system  sound", "acme    sound"]


async def test_a_changed_entry_is_named_and_the_exit_code_is_one(keydesk: Keydesk, team: Team) -> None:
    await make_key(team, "one")
    await make_key(team, "two")
    async with database.transaction():
        await database.fetch("UPDATE audit_entry SET actor_name = 'Nobody' WHERE chain = {} AND position = 2", team.workspace.id)
    done = keydesk.run("audit", "verify")
    (row,) = await database.fetch("SELECT id FROM audit_entry WHERE chain = {} AND position = 2", team.workspace.id)
    broken = f"broken at entry 2 ({row['id']}): was changed, added or moved"
    assert (done.returncode, done.stdout.splitlines()) == (1, ["system  sound", f"acme    {broken}"])
    assert json.loads(keydesk.run("audit", "verify", "--json").stdout)[1] == {
        "chain": team.workspace.id, "workspace": "acme", "sound": False, "firstBroken": 2, "entry": row["id"],
        "fault": "was changed, added or moved",
    }  # fmt: skip


async def test_a_truncated_or_extended_chain_is_detected(db: None) -> None:
    for name in ("one", "two", "three"):
        await gateway_tokens.create(OPERATOR, name)
    async with database.transaction():
        await database.fetch("UPDATE audit_entry SET chain = 'elsewhere' WHERE chain = 'system' AND position = 3")
    assert await audit.first_broken("system") == 3
    async with database.transaction():
        await database.fetch("UPDATE audit_entry SET chain = 'system', position = 4 WHERE chain = 'elsewhere'")
    assert await audit.first_broken("system") == 3


async def test_entries_written_during_the_check_are_no_fault(db: None) -> None:
    await gateway_tokens.create(OPERATOR, "first")
    writing = asyncio.create_task(_write(30))
    while not writing.done():
        assert await audit.checked(OPERATOR) == {"system": None}
    await writing
    assert await audit.checked(OPERATOR) == {"system": None}


async def _write(count: int) -> None:
    for number in range(count):
        await gateway_tokens.create(OPERATOR, f"token {number}")


async def test_truncation_with_the_head_after_a_check_is_detected_until_after_restore_is_passed(
    keydesk: Keydesk, team: Team
) -> None:
    await make_key(team, "one")
    await make_key(team, "two")
    assert keydesk("audit", "verify").splitlines() == ["system  sound", "acme    sound"]
    async with database.transaction():
        await database.fetch("DELETE FROM audit_entry WHERE chain = {} AND position = 2", team.workspace.id)
        await database.fetch("UPDATE workspace SET audit_length = 1, audit_head = (SELECT mac FROM audit_entry)")
    for _ in range(2):
        assert keydesk.run("audit", "verify").stdout.splitlines() == ["system  sound", "acme    broken at entry 2: is missing"]
    assert f"the chain {team.workspace.id} is broken at entry 2" in keydesk.run("doctor").stdout
    assert keydesk("audit", "verify", "--after-restore").splitlines() == ["system  sound", "acme    sound"]
    assert keydesk("audit", "verify").splitlines() == ["system  sound", "acme    sound"]


def test_a_new_database_beside_the_journal_of_an_old_one_is_sound(elsewhere: Keydesk, tmp_path: Path) -> None:
    path = tmp_path / "revocations.jsonl"
    path.write_text('{"kind": "audit", "chain": "system", "length": 9, "head": "00"}\n')
    elsewhere("migrate")
    assert elsewhere("audit", "verify").splitlines() == ["system  sound"]


async def exported(team: Team, file: Path) -> list[str]:
    """The lines of an export, which are in the file too."""
    pieces = audit.export(await seen(team.owner, team.slug), Format.JSON_LINES)
    file.write_text("".join([piece async for piece in pieces]))
    return file.read_text().splitlines()


async def test_an_export_is_checked_without_the_database(keydesk: Keydesk, team: Team, tmp_path: Path) -> None:
    for name in ("one", "two", "three"):
        await make_key(team, name)
    file = tmp_path / "export.jsonl"
    lines = await exported(team, file)
    offline = keydesk.under(
        KEYDESK_DATABASE_URL=f"sqlite:///{tmp_path}/none.db", KEYDESK_REVOCATION_JOURNAL=str(tmp_path / "none" / "journal")
    )
    assert offline("audit", "verify", "--file", str(file)) == "acme  sound, 3 of 3 entries (all entries)\n"
    file.write_text("\n".join([*lines[:2], *lines[3:]]) + "\n")
    done = offline.run("audit", "verify", "--file", str(file))
    assert (done.returncode, done.stdout) == (1, "acme  broken at line 3, entry 2: is missing\n")
    found = json.loads(offline.run("audit", "verify", "--file", str(file), "--json").stdout)
    assert (found["sound"], found["line"], found["firstBroken"], found["fault"]) == (False, 3, 2, "is missing")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["export.jsonl"]


async def test_an_export_is_refused_without_its_pepper_and_compared_with_the_checkpoints(
    keydesk: Keydesk, team: Team, tmp_path: Path
) -> None:
    await make_key(team, "one")
    assert "1 chains." in keydesk("audit", "checkpoint")
    assert "no chain has grown" in keydesk("audit", "checkpoint")
    async with database.transaction():
        await database.fetch("DELETE FROM audit_entry")
        await database.fetch("UPDATE workspace SET audit_length = 0, audit_head = {}", b"")
    await make_key(team, "another one in its place")
    file = tmp_path / "export.jsonl"
    await exported(team, file)
    assert (
        "entry 1: is not the one that was noted outside the database" in keydesk.run("audit", "verify", "--file", str(file)).stdout
    )
    other = keydesk.under(KEYDESK_PEPPER="another pepper, of the usual length")
    assert "under another pepper" in other.refused("audit", "verify", "--file", str(file))
    bare = Keydesk({"KEYDESK_DATABASE_URL": f"sqlite:///{tmp_path}/none.db"})
    assert bare.refused("audit", "verify", "--file", str(file)).startswith("There is no pepper")


async def test_a_forged_checkpoint_is_named_and_the_exit_code_is_one(keydesk: Keydesk, team: Team, tmp_path: Path) -> None:
    await make_key(team, "one")
    path = tmp_path / "checkpoints.jsonl"
    here = keydesk.under(KEYDESK_AUDIT_CHECKPOINTS=str(path))
    here("audit", "checkpoint")
    path.write_text(path.read_text().replace('[1, "', '[2, "'))
    done = here.run("audit", "verify")
    assert (done.returncode, done.stdout.splitlines()) == (1, ["system  sound", "acme    sound"])
    assert f"{path}: line 1 is damaged, or was not written by Keydesk" in done.stderr
