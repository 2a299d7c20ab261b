"""Anyone who can write the database changes the audit log: the check names the first entry that is at fault, and what is wrong."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from app import database, reconcile
from app.access.actor import Actor
from app.audit import checkpoints, store
from app.audit import service as audit
from app.audit.checking import (
    ALTERED,
    BEYOND,
    MISSING,
    NO_KEY,
    NO_WORKSPACE,
    NOT_AS_NOTED,
    NOT_THE_HEAD,
)
from app.journal import file as journal
from app.keys import service as keys
from app.keys.key import Reason
from tests.conftest import Team, make_key, make_team

Faults = dict[str, tuple[int, str]]


@dataclass
class Chains:
    """Two workspaces with five entries each, and the statements of someone who can write their database."""

    one: str
    two: str
    team: Team

    async def run(self, *statements: str) -> None:
        """`:one` and `:two` are the chains, `:empty` and `:bytes` values of columns of bytes."""
        given: dict[str, object] = {":one": self.one, ":two": self.two, ":empty": b"", ":bytes": b"x" * 32}
        async with database.transaction():
            for statement in statements:
                named = re.findall(r":\w+", statement)
                await database.fetch(re.sub(r":\w+", "{}", statement), *(given[name] for name in named))

    async def move(self, chain: str, position: int, to: int) -> None:
        async with database.transaction():
            await database.fetch("UPDATE audit_entry SET position = {} WHERE chain = {} AND position = {}", *(to, chain, position))

    async def swap(self, first: tuple[str, int], second: tuple[str, int]) -> None:
        """Exchanges the places of two entries; the places are unique, so that it takes three steps."""
        places = "UPDATE audit_entry SET chain = {}, position = {} WHERE chain = {} AND position = {}"
        async with database.transaction():
            await database.fetch(places, "aside", 1, *first)
            await database.fetch(places, *first, *second)
            await database.fetch(places, *second, "aside", 1)


async def life(team: Team) -> None:
    """Five changes, and so five entries."""
    made = await make_key(team)
    await keys.suspend(team.owner, made.key.id)
    await keys.resume(team.owner, made.key.id)
    await keys.revoke(team.owner, made.key.id, Reason.OTHER)
    await make_key(team)


@pytest.fixture
async def chains(team: Team) -> Chains:
    rival = await make_team("rival")
    await life(team)
    await life(rival)
    found = Chains(team.workspace.id, rival.workspace.id, team)
    assert await faults() == {}
    return found


async def faults() -> Faults:
    """The first fault of each chain that has one, as `keydesk audit verify` finds it."""
    found = await audit.checked(Actor.operator(), await reconcile.noted_ends(journal.current()))
    return {chain: (fault.position, fault.what) for chain, fault in found.items() if fault is not None}


async def edit(chains: Chains) -> Faults:
    await chains.run("UPDATE audit_entry SET actor_name = 'Nobody' WHERE chain = :one AND position = 3")
    return {chains.one: (3, ALTERED)}


async def delete(chains: Chains) -> Faults:
    await chains.run("DELETE FROM audit_entry WHERE chain = :one AND position = 2")
    return {chains.one: (2, MISSING)}


async def delete_and_close_the_gap(chains: Chains) -> Faults:
    await chains.run("DELETE FROM audit_entry WHERE chain = :one AND position = 2")
    for position in (3, 4, 5):
        await chains.move(chains.one, position, position - 1)
    await chains.run("UPDATE workspace SET audit_length = 4 WHERE id = :one")
    return {chains.one: (2, ALTERED)}


_COPY = (
    "INSERT INTO audit_entry (id, chain, position, at, actor_kind, actor_id, actor_name, action, target, detail, address,"
    " user_agent, request_id, mac) SELECT 'aud_inserted', chain, {position}, at, actor_kind, actor_id, actor_name, action, target,"
    " detail, address, user_agent, request_id, mac FROM audit_entry WHERE chain = :one AND position = {of}"
)


async def insert(chains: Chains) -> Faults:
    for position in (5, 4, 3):
        await chains.move(chains.one, position, position + 1)
    await chains.run(_COPY.format(position=3, of=2), "UPDATE workspace SET audit_length = 6 WHERE id = :one")
    return {chains.one: (3, ALTERED)}


async def append(chains: Chains) -> Faults:
    await chains.run(_COPY.format(position=6, of=5))
    return {chains.one: (6, ALTERED)}


async def insert_before_the_first(chains: Chains) -> Faults:
    await chains.run(_COPY.format(position=0, of=1))
    return {chains.one: (0, ALTERED)}


async def reorder(chains: Chains) -> Faults:
    await chains.swap((chains.one, 2), (chains.one, 4))
    return {chains.one: (2, ALTERED)}


async def swap_between_workspaces(chains: Chains) -> Faults:
    await chains.swap((chains.one, 3), (chains.two, 3))
    return {chains.one: (3, ALTERED), chains.two: (3, ALTERED)}


async def exchange_whole_chains(chains: Chains) -> Faults:
    await chains.run(
        "UPDATE audit_entry SET chain = 'aside' WHERE chain = :one",
        "UPDATE audit_entry SET chain = :one WHERE chain = :two",
        "UPDATE audit_entry SET chain = :two WHERE chain = 'aside'",
    )
    return {chains.one: (1, ALTERED), chains.two: (1, ALTERED)}


async def move_to_no_workspace(chains: Chains) -> Faults:
    await chains.run("UPDATE audit_entry SET chain = 'elsewhere' WHERE chain = :one AND position = 5")
    return {chains.one: (5, MISSING), "elsewhere": (1, NO_WORKSPACE)}


async def cut_the_tail(chains: Chains) -> Faults:
    await chains.run("DELETE FROM audit_entry WHERE chain = :one AND position >= 4")
    return {chains.one: (4, MISSING)}


async def cut_back(chain: str, length: int) -> None:
    """Cuts the tail off, and sets the row that records length and head back to what it was then."""
    (last,) = await store.oldest(chain, limit=1, after=length - 1)
    async with database.transaction():
        await database.fetch("DELETE FROM audit_entry WHERE chain = {} AND position > {}", chain, length)
        await store.move_head(chain, length, last.mac)


async def cut_the_tail_and_the_head(chains: Chains) -> Faults:
    await checkpoints.current().write()
    await cut_back(chains.one, 3)
    return {chains.one: (4, MISSING)}


async def cut_the_tail_and_go_on(chains: Chains) -> Faults:
    await checkpoints.current().write()
    await cut_back(chains.one, 4)
    await life(chains.team)
    return {chains.one: (5, NOT_AS_NOTED)}


async def forge_the_end(chains: Chains) -> Faults:
    """What the revocation journal would forget: it notes the new end, and with that one no longer compares the old one."""
    expected = await cut_the_tail_and_go_on(chains)
    await reconcile.anchor(journal.current())
    return expected


async def cut_everything(chains: Chains) -> Faults:
    await checkpoints.current().write()
    await chains.run(
        "DELETE FROM audit_entry WHERE chain = :one", "UPDATE workspace SET audit_length = 0, audit_head = :empty WHERE id = :one"
    )
    return {chains.one: (1, MISSING)}


async def replace_the_first_entry(chains: Chains) -> Faults:
    await chains.run("UPDATE audit_entry SET at = at - 1 WHERE chain = :one AND position = 1")
    return {chains.one: (1, ALTERED)}


async def replace_the_key(chains: Chains) -> Faults:
    await chains.run("UPDATE workspace SET audit_key = (SELECT audit_key FROM workspace WHERE id = :two) WHERE id = :one")
    return {chains.one: (1, ALTERED)}


async def remove_the_key(chains: Chains) -> Faults:
    await chains.run("UPDATE workspace SET audit_key = :empty WHERE id = :one")
    return {chains.one: (1, NO_KEY)}


async def lower_the_counter(chains: Chains) -> Faults:
    await chains.run("UPDATE workspace SET audit_length = 3 WHERE id = :one")
    return {chains.one: (4, BEYOND)}


async def raise_the_counter(chains: Chains) -> Faults:
    await chains.run("UPDATE workspace SET audit_length = 9 WHERE id = :one")
    return {chains.one: (6, MISSING)}


async def change_the_head(chains: Chains) -> Faults:
    await chains.run("UPDATE workspace SET audit_head = :bytes WHERE id = :one")
    return {chains.one: (5, NOT_THE_HEAD)}


TAMPERINGS: dict[str, tuple[Callable[[Chains], Awaitable[Faults]], ...]] = {
    "edit": (edit,),
    "delete": (delete, delete_and_close_the_gap),
    "insert": (insert, append, insert_before_the_first),
    "reorder": (reorder,),
    "swap between chains": (swap_between_workspaces, exchange_whole_chains, move_to_no_workspace),
    "cut tail": (
        cut_the_tail, cut_the_tail_and_the_head, cut_the_tail_and_go_on, forge_the_end, cut_everything,
    ),
    "changed genesis or counter": (
        replace_the_first_entry, replace_the_key, remove_the_key, lower_the_counter, raise_the_counter, change_the_head,
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    "tamper", [pytest.param(each, id=f"{kind}: {each.__name__}") for kind, some in TAMPERINGS.items() for each in some]
)
async def test_each_kind_of_tampering_is_named_with_its_position(
    chains: Chains, tamper: Callable[[Chains], Awaitable[Faults]]
) -> None:
    assert await tamper(chains) == await faults()


async def test_the_length_of_the_systems_chain_is_checked_like_that_of_a_workspace(chains: Chains) -> None:
    await chains.run("UPDATE installation SET audit_length = 3")
    assert await faults() == {"system": (1, MISSING)}


async def test_the_entry_at_fault_is_named_by_its_id(chains: Chains) -> None:
    (third,) = await store.oldest(chains.one, limit=1, after=2)
    await edit(chains)
    fault = await audit.find_fault(chains.one, {})
    assert str(fault) == f"entry 3 ({third.id}): was changed, added or moved"
