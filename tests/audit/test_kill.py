"""Twenty times `kill -9` of a process that makes changes of several kinds, at random moments: no change is without its entry, and
no entry without its change."""

from __future__ import annotations

import asyncio
import collections
import json
import os
import random
import signal
import sys
from typing import Any

import pytest

from app import database
from app.access.actor import Actor
from app.audit import service as audit
from app.gateway_tokens import service as gateway_tokens
from app.workspaces import service as workspaces
from tests.conftest import Team, make_team
from tests.support.processes import ROOT, without_settings

pytestmark = pytest.mark.slow
KILLS, CHANGES_OF_A_TURN, WITHIN_SECONDS = 20, 8, 300
# Imports everything once, then forks a process for each line, which works at once: it says its number, and `made` for each change.
CHANGES = """
import asyncio, itertools, os, sys
from app import start
from app.access.actor import Actor
from app.gateway_tokens import service as gateway_tokens
from app.keys import service as keys
from app.keys.key import KeySettings, Reason
from app.settings import Settings
from app.workspaces import service as workspaces

def say(word, number=0):
    # In one write, which a kill cannot divide.
    os.write(1, f"{word} {number}\\n".encode())

async def change(mark):
    actor, slug = Actor.user(sys.argv[1], "Owner"), sys.argv[2]
    async with start.opened(Settings.load(os.environ)):
        say("begun", os.getpid())
        for turn in itertools.count():
            name = f"{mark} {turn}"
            key = (await made(keys.create(actor, slug, KeySettings(name, "production", ("pdf.read",))))).key.id
            token = (await made(gateway_tokens.create(Actor.operator(), name))).token.id
            await made(keys.update(actor, key, {"name": f"{name} renamed"}))
            await made(workspaces.update(actor, slug, name=f"Acme {name}"))
            await made(keys.suspend(actor, key))
            await made(keys.resume(actor, key))
            await made(keys.revoke(actor, key, Reason.OTHER))
            await made(gateway_tokens.revoke(Actor.operator(), token))

async def made(change):
    found = await change
    say("made")
    return found

for line in sys.stdin:
    child = os.fork()
    if not child:
        try:
            asyncio.run(change(line.strip()))
        finally:
            os._exit(1)
    say("ended", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


async def kill_twenty(environment: dict[str, str], team: Team) -> None:
    chance = random.Random(20)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", CHANGES, team.owner.id, team.slug),
        cwd=ROOT, env=without_settings() | environment, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin and process.stdout
    try:
        async with asyncio.timeout(WITHIN_SECONDS):
            for number in range(KILLS):
                process.stdin.write(f"{number}\n".encode())
                child = await said(process.stdout, "begun")
                for _ in range(number % CHANGES_OF_A_TURN):
                    await said(process.stdout, "made")
                await asyncio.sleep(chance.uniform(0, 0.05))
                os.kill(child, signal.SIGKILL)
                assert await said(process.stdout, "ended") == -signal.SIGKILL
    finally:
        process.stdin.close()
        if process.returncode is None:
            process.kill()
        await process.wait()


async def said(out: asyncio.StreamReader, word: str) -> int:
    """Reads up to a line that begins with the word, and returns its number."""
    while line := (await out.readline()).decode().split():
        if line[0] == word:
            return int(line[1])
        assert line[0] != "ended", line
    raise AssertionError(f"it ended before it said {word!r}")


async def histories() -> dict[str, list[tuple[str, dict[str, Any]]]]:
    """The entries about each thing, the oldest first."""
    found = collections.defaultdict(list)
    for row in await database.fetch("SELECT action, target, detail FROM audit_entry ORDER BY chain, position"):
        found[row["target"]].append((row["action"], json.loads(row["detail"])))
    return found


def last_name(history: list[tuple[str, dict[str, Any]]], first: str) -> str:
    """The name after all changes; each began with the name that the one before it ended with."""
    name = first
    for _, detail in history:
        if isinstance(detail.get("name"), dict):
            assert detail["name"]["before"] == name
            name = detail["name"]["after"]
    return name


async def test_no_change_is_without_its_entry_and_no_entry_without_its_change(environment: dict[str, str], db: None) -> None:
    team = await make_team(plan="scale_enterprise")
    await kill_twenty(environment, team)
    # These wait for what a killed process may have left to the server, because they need the same locks.
    await workspaces.update(team.owner, team.slug, name="Acme in the end")
    await gateway_tokens.create(Actor.operator(), "in the end")

    told = await histories()
    keys = {row["id"]: row for row in await database.fetch("SELECT id, name, suspended_at, revoked_at FROM api_key")}
    tokens = {row["id"]: row for row in await database.fetch("SELECT id, revoked_at FROM gateway_token")}
    assert set(told) == {*keys, *tokens, team.workspace.id}
    assert len(keys) >= KILLS / 4 and len(tokens) > 1

    for key, row in keys.items():
        actions = [action for action, _ in told[key]]
        assert actions == ["key.created", "key.updated", "key.suspended", "key.resumed", "key.revoked"][: len(actions)]
        assert last_name(told[key], told[key][0][1]["name"]) == row["name"]
        assert (row["suspended_at"] is not None) == (actions[-1] == "key.suspended")
        assert (row["revoked_at"] is not None) == ("key.revoked" in actions)
    for token, row in tokens.items():
        actions = [action for action, _ in told[token]]
        assert actions == ["gateway_token.created", "gateway_token.revoked"][: 1 + (row["revoked_at"] is not None)]
    assert last_name(told[team.workspace.id], "Acme") == "Acme in the end"
    assert {chain: fault for chain, fault in (await audit.checked(Actor.operator())).items() if fault} == {}
