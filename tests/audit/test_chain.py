"""The audit chain: one entry for each change, and whoever alters one shows."""

from __future__ import annotations

import asyncio

import pytest

from app import database
from app.audit import service as audit
from app.audit import store
from app.keys import service as keys
from app.keys.key import Reason
from tests.conftest import Team, make_key, make_team


@pytest.fixture
async def chain(team: Team) -> str:
    """A chain of five entries."""
    made = await make_key(team)
    await keys.suspend(team.owner, made.key.id)
    await keys.resume(team.owner, made.key.id)
    await keys.revoke(team.owner, made.key.id, Reason.OTHER)
    await make_key(team)
    assert await audit.first_broken(team.workspace.id) is None
    return team.workspace.id


TAMPERING = {
    "an edited entry": ("UPDATE audit_entry SET actor_name = 'Nobody' WHERE chain = {} AND position = 3", 3),
    "an edited detail": ("UPDATE audit_entry SET detail = '{{}}' WHERE chain = {} AND position = 1", 1),
    "a removed entry": ("DELETE FROM audit_entry WHERE chain = {} AND position = 2", 2),
    "a cut tail": ("DELETE FROM audit_entry WHERE chain = {} AND position >= 4", 4),
    "a forged MAC": ("UPDATE audit_entry SET mac = {mac} WHERE chain = {} AND position = 5", 5),
    "an entry moved to the end": ("UPDATE audit_entry SET position = 6 WHERE chain = {} AND position = 1", 1),
    "a shortened head": ("UPDATE workspace SET audit_length = 4 WHERE id = {}", 6),
}


@pytest.mark.parametrize("what", TAMPERING)
async def test_tampering_is_found_at_its_place(chain: str, what: str) -> None:
    statement, position = TAMPERING[what]
    arguments: list[object] = [chain]
    if "{mac}" in statement:
        statement, arguments = statement.replace("{mac}", "{}"), [b"x" * 32, chain]
    if "{{}}" in statement:
        statement, arguments = statement.replace("'{{}}'", "{}"), ["{}", chain]
    async with database.transaction():
        await database.fetch(statement, *arguments)
    assert await audit.first_broken(chain) == position


async def test_entries_exchanged_between_workspaces_are_found(chain: str) -> None:
    rival = await make_team("rival")
    await make_key(rival)
    async with database.transaction():
        await database.fetch("DELETE FROM audit_entry WHERE chain = {} AND position = 1", chain)
        await database.fetch("UPDATE audit_entry SET chain = {} WHERE chain = {}", chain, rival.workspace.id)
    assert await audit.first_broken(chain) == 1


async def test_concurrent_changes_never_fork_a_chain(team: Team) -> None:
    await asyncio.gather(*(make_key(team, f"Key {number}") for number in range(10)))
    entries = await store.oldest(team.workspace.id, limit=100)
    assert [entry.position for entry in entries] == list(range(1, 11))
    assert await audit.first_broken(team.workspace.id) is None


async def test_the_text_of_an_entry_is_kept_as_it_was_written(team: Team) -> None:
    made = await make_key(team, "naïve “quotes” \\ \U0001f5dd")
    assert (await audit.about(team.owner, team.slug, made.key.id))[0].detail["name"] == "naïve “quotes” \\ \U0001f5dd"
    assert await audit.first_broken(team.workspace.id) is None
