"""`audit verify`: every chain, and the entry at which one was tampered with."""

from __future__ import annotations

import asyncio
from pathlib import Path

from app import database
from app.access.actor import Actor
from app.audit import service as audit
from app.gateways import service as gateways
from tests.cli.conftest import Keydesk
from tests.conftest import Team, make_key
from tests.support.server import Server

OPERATOR = Actor.operator()


async def test_sound_chains_are_called_that_one_by_one(keydesk: Keydesk, team: Team, node: Server) -> None:
    await make_key(team)
    await gateways.create(OPERATOR, "edge")
    assert keydesk.json("audit", "verify") == [
        {"chain": "system", "workspace": None, "sound": True, "firstBroken": None},
        {"chain": team.workspace.id, "workspace": "acme", "sound": True, "firstBroken": None},
    ]
    assert keydesk("audit", "verify").splitlines() == ["system  sound", "acme    sound"]


async def test_a_changed_entry_is_named_and_the_exit_code_is_one(keydesk: Keydesk, team: Team) -> None:
    await make_key(team, "one")
    await make_key(team, "two")
    async with database.transaction():
        await database.fetch("UPDATE audit_entry SET actor_name = 'Nobody' WHERE chain = {} AND position = 2", team.workspace.id)
    done = keydesk.run("audit", "verify")
    assert (done.returncode, done.stdout.splitlines()) == (1, ["system  sound", "acme    broken at entry 2"])


async def test_an_end_that_was_cut_off_or_put_on_is_found(db: None) -> None:
    for name in ("one", "two", "three"):
        await gateways.create(OPERATOR, name)
    async with database.transaction():
        await database.fetch("UPDATE audit_entry SET chain = 'elsewhere' WHERE chain = 'system' AND position = 3")
    assert await audit.first_broken("system") == 3
    async with database.transaction():
        await database.fetch("UPDATE audit_entry SET chain = 'system', position = 4 WHERE chain = 'elsewhere'")
    assert await audit.first_broken("system") == 3


async def test_what_is_written_while_it_looks_is_no_fault(db: None) -> None:
    await gateways.create(OPERATOR, "first")
    writing = asyncio.create_task(_write(30))
    while not writing.done():
        assert await audit.checked(OPERATOR) == {"system": None}
    await writing
    assert await audit.checked(OPERATOR) == {"system": None}


async def _write(count: int) -> None:
    for number in range(count):
        await gateways.create(OPERATOR, f"token {number}")


async def test_an_end_that_is_cut_off_with_its_head_after_a_check_is_found_until_a_restore_is_owned_up_to(
    keydesk: Keydesk, team: Team
) -> None:
    await make_key(team, "one")
    await make_key(team, "two")
    assert keydesk("audit", "verify").splitlines() == ["system  sound", "acme    sound"]
    async with database.transaction():
        await database.fetch("DELETE FROM audit_entry WHERE chain = {} AND position = 2", team.workspace.id)
        await database.fetch("UPDATE workspace SET audit_length = 1, audit_head = (SELECT mac FROM audit_entry)")
    for _ in range(2):
        assert keydesk.run("audit", "verify").stdout.splitlines() == ["system  sound", "acme    broken at entry 2"]
    assert f"the chain {team.workspace.id} is broken at entry 2" in keydesk.run("doctor").stdout
    assert keydesk("audit", "verify", "--after-restore").splitlines() == ["system  sound", "acme    sound"]
    assert keydesk("audit", "verify").splitlines() == ["system  sound", "acme    sound"]


def test_a_new_database_beside_the_journal_of_an_old_one_is_sound(elsewhere: Keydesk, tmp_path: Path) -> None:
    path = tmp_path / "revocations.jsonl"
    path.write_text('{"kind": "audit", "chain": "system", "length": 9, "head": "00"}\n')
    elsewhere("migrate")
    assert elsewhere("audit", "verify").splitlines() == ["system  sound"]
