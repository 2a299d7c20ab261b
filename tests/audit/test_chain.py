"""The audit chain: one entry for each change, and every alteration is detected."""

from __future__ import annotations

import asyncio

import pytest

from app import database, reconcile
from app.access.actor import Actor
from app.audit import service as audit
from app.audit import store
from app.gateway_tokens import service as gateway_tokens
from app.journal import file as journal
from app.keys import service as keys
from app.keys.key import Reason
from tests.conftest import KIND, Team, make_key, make_team
from tests.support.access import seen


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


async def test_concurrent_changes_never_fork_a_chain(team: Team) -> None:
    await asyncio.gather(*(make_key(team, f"Key {number}") for number in range(10)))
    entries = await store.oldest(team.workspace.id, limit=100)
    assert [entry.position for entry in entries] == list(range(1, 11))
    assert await audit.first_broken(team.workspace.id) is None


async def test_the_text_of_an_entry_is_stored_unchanged(team: Team) -> None:
    made = await make_key(team, "naïve “quotes” \\ \U0001f5dd")
    assert (await audit.about(await seen(team.owner, team.slug), made.key.id))[0].detail["name"] == "naïve “quotes” \\ \U0001f5dd"
    assert await audit.first_broken(team.workspace.id) is None


async def anchored(chain: str) -> dict[int, bytes]:
    await reconcile.anchor(journal.current())
    return (await reconcile.noted_ends(journal.current()))[chain]


def positions(faults: dict[str, audit.Fault | None]) -> dict[str, int | None]:
    return {chain: fault and fault.position for chain, fault in faults.items()}


@pytest.mark.parametrize("left", [3, 0])
@pytest.mark.parametrize("chain_of", ["workspace", "system"])
async def test_truncation_with_the_head_set_back_is_detected_by_the_anchor_outside(chain: str, chain_of: str, left: int) -> None:
    if chain_of == "system":
        chain = "system"
        for name in "abcde":
            await gateway_tokens.create(Actor.operator(), name)
    anchor = await anchored(chain)
    table, key = store._holder(chain)
    async with database.transaction():
        rows = await store.oldest(chain, limit=left, after=0) if left else []
        await database.fetch("DELETE FROM audit_entry WHERE chain = {} AND position > {}", chain, left)
        await store.move_head(chain, left, rows[-1].mac if rows else b"")
    assert positions(await audit.checked(Actor.operator(), {chain: anchor}))[chain] == left + 1
    assert (await reconcile.noted_ends(journal.current()))[chain] == anchor
    assert (table, key) == store._holder(chain)


async def test_truncation_followed_by_new_entries_is_detected(chain: str, team: Team) -> None:
    anchor = await anchored(chain)
    async with database.transaction():
        rows = await store.oldest(chain, limit=4)
        await database.fetch("DELETE FROM audit_entry WHERE chain = {} AND position > 4", chain)
        await store.move_head(chain, 4, rows[-1].mac)
    await make_key(team)
    await make_key(team)
    assert await audit.first_broken(chain) is None
    assert await audit.first_broken(chain, anchor) == 5


async def test_entries_after_an_anchor_are_no_fault_and_a_missing_workspace_is_one(chain: str, team: Team) -> None:
    anchor = await anchored(chain)
    await make_key(team)
    assert await audit.first_broken(chain, anchor) is None
    assert positions(await audit.checked(Actor.operator(), {"wsp_gone": {3: b"x"}}))["wsp_gone"] == 1


SPOILT = {
    "a detail that is no JSON": ("UPDATE audit_entry SET detail = '{{' WHERE chain = {} AND position = 2", 2),
    "a detail that is a list": ("UPDATE audit_entry SET detail = '[]' WHERE chain = {} AND position = 2", 2),
    "an actor of no kind": ("UPDATE audit_entry SET actor_kind = 'GHOST' WHERE chain = {} AND position = 3", 3),
    "a key of another pepper": ("UPDATE workspace SET audit_key = {bytes} WHERE id = {}", 1),
    "an empty key": ("UPDATE workspace SET audit_key = {empty} WHERE id = {}", 1),
}


@pytest.mark.parametrize("what", SPOILT)
async def test_a_row_that_cannot_be_read_breaks_only_its_own_chain_and_the_check_goes_on(chain: str, what: str, team: Team) -> None:
    rival = await make_team("rival")
    await make_key(rival)
    statement, position = SPOILT[what]
    arguments: list[object] = [chain]
    for mark, value in (("{bytes}", b"\x00\x00\x00\x63" + b"x" * 32), ("{empty}", b"")):
        if mark in statement:
            statement, arguments = statement.replace(mark, "{}"), [value, chain]
    if "'{{'" in statement:
        statement, arguments = statement.replace("'{{'", "{}"), ["{", chain]
    async with database.transaction():
        await database.fetch(statement, *arguments)
    assert positions(await audit.checked(Actor.operator())) == {"system": None, chain: position, rival.workspace.id: None}
    assert len(await audit.page(await seen(team.owner, team.slug), limit=10)) == 5


@pytest.mark.skipif(KIND != "sqlite", reason="PostgreSQL keeps no text that is none")
@pytest.mark.parametrize(
    "change", ["actor_name = x'ff'", "detail = CAST(x'ff' AS TEXT)", "mac = 'text'", "at = 'never'", "target = CAST(x'ff' AS TEXT)"]
)
async def test_values_invalid_for_their_column_break_only_their_own_chain(chain: str, change: str) -> None:
    rival = await make_team("rival")
    async with database.transaction():
        await database.fetch(f"UPDATE audit_entry SET {change} WHERE chain = {{}} AND position = 4", chain)
    assert positions(await audit.checked(Actor.operator())) == {"system": None, chain: 4, rival.workspace.id: None}
