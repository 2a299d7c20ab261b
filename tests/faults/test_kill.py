"""Twenty times `kill -9` of one of two nodes under load, at random moments; then the answers are compared with the database.
One campaign serves all tests of this module: gateways verify and report, programs create, edit and revoke, and each records
its answers and its requests without an answer.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import json
import random
import sqlite3
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from app import clock, database
from app.audit import service as audit
from app.journal import file as journal
from app.settings import Settings
from tests.conftest import empty, make_key
from tests.faults.conftest import Desk, make_desk, readiness, started
from tests.support.http import Answer, Gateway, Program, Unanswered, Undecided, Unsent, Wire
from tests.support.server import Server

pytestmark = pytest.mark.slow
KILLS, GATEWAYS, REPORTERS, PROGRAMS = 20, 8, 2, 3
READY_WITHIN_SECONDS, LONGEST_SECONDS = 5, 60
Slot = tuple[str, str, str]


@dataclass
class Ledger:
    """The callers' records: answered requests, and requests without an answer, which count once or not at all."""

    answered: collections.Counter[Slot] = field(default_factory=collections.Counter)
    unanswered: collections.Counter[Slot] = field(default_factory=collections.Counter)
    reported: collections.Counter[Slot] = field(default_factory=collections.Counter)
    repeated: int = 0
    created: set[str] = field(default_factory=set)
    edited: dict[str, str] = field(default_factory=dict)
    revoked: set[str] = field(default_factory=set)
    tried: dict[str, set[str]] = field(default_factory=lambda: collections.defaultdict(set))


@dataclass
class Campaign:
    """`subjects`: the secret, the permission to verify, and the counter for it."""

    desk: Desk
    nodes: list[Server]
    subjects: list[tuple[str, str, Slot]]
    ledger: Ledger = field(default_factory=Ledger)
    # The durations of the first start of both nodes, and of each restart.
    first_start: float = 0
    restarts: list[float] = field(default_factory=list)
    ended: float = 0

    @property
    def over(self) -> bool:
        """All kills are done, and enough was answered to compare: on a busy machine a restart takes seconds, in which little is."""
        if len(self.restarts) < KILLS:
            return False
        self.ended = self.ended or time.monotonic()
        enough = len(self.ledger.revoked) > KILLS and sum(self.ledger.reported.values()) > KILLS
        return enough or time.monotonic() > self.ended + LONGEST_SECONDS

    def port(self, number: int) -> int:
        return self.nodes[number % len(self.nodes)].port

    async def run(self) -> None:
        work = [self._verify(number) for number in range(GATEWAYS)]
        work += [self._report(number) for number in range(REPORTERS)]
        work += [self._change(number) for number in range(PROGRAMS)]
        async with asyncio.TaskGroup() as group:
            for each in work:
                group.create_task(each)
            for node in self.nodes:
                group.create_task(self._kill(node))

    async def _kill(self, node: Server) -> None:
        chance = random.Random(node.port)
        for _ in range(KILLS // len(self.nodes)):
            # It works undisturbed for this time; then it is killed at any point.
            await asyncio.sleep(chance.uniform(0.05, 0.6))
            await asyncio.to_thread(node.kill)
            began = time.monotonic()
            await asyncio.to_thread(node.start)
            self.restarts.append(time.monotonic() - began)

    async def _verify(self, number: int) -> None:
        chance = random.Random(number)
        async with Gateway(self.port(number), self.desk.gateway) as gateway:
            while not self.over:
                secret, permission, slot = chance.choice(self.subjects)
                try:
                    answer = await gateway.verify(secret, permission=permission)
                except Unsent:
                    await asyncio.sleep(0.05)
                    continue
                except Unanswered:
                    self.ledger.unanswered[slot] += 1
                    continue
                self._note(answer, slot)

    def _note(self, answer: Answer, slot: Slot) -> None:
        if answer.status == 503:
            self.ledger.unanswered[slot] += 1
            return
        assert (answer.status, answer.json()["code"]) == (200, slot[2])
        self.ledger.answered[slot] += 1

    async def _report(self, number: int) -> None:
        """Repeats each batch until it is answered, as the client does."""
        chance = random.Random(100 + number)
        async with Gateway(self.port(number), self.desk.gateway) as gateway:
            while not self.over:
                await self._report_batch(gateway, chance)

    async def _report_batch(self, gateway: Gateway, chance: random.Random) -> None:
        slots = [(slot[0], "pdf.read", chance.choice(["SUCCEEDED", "FAILED"])) for _, _, slot in self.subjects[:2]]
        at = clock.rfc3339(time.time_ns() // 1000)
        batch, status = str(uuid.uuid4()), {"SUCCEEDED": 200, "FAILED": 500}
        events = [{"keyId": key, "at": at, "permission": name, "status": status[told]} for key, name, told in slots]
        while True:
            with contextlib.suppress(Unsent, Unanswered):
                answer = await gateway.report(batch, events)
                if answer.status == 200:
                    assert answer.json()["accepted"] == len(events)
                    self.ledger.repeated += answer.json()["duplicate"]
                    self.ledger.reported.update(slots)
                    return
                assert answer.status == 503
            await asyncio.sleep(0.05)

    async def _change(self, number: int) -> None:
        async with Program(self.port(number), self.desk.program) as program:
            for turn in range(10_000):
                if self.over:
                    return
                with contextlib.suppress(Unsent, Unanswered, Undecided):
                    await self._life(program, f"{number}-{turn}")
                await asyncio.sleep(0.01)

    async def _life(self, program: Program, name: str) -> None:
        """Creates, renames and revokes one key, as far as the answers allow."""
        made = await program.change("keys/create", name=name, environment="production", permissions=["pdf.read"])
        key = made["apiKey"]["id"]
        self.ledger.created.add(key)
        self.ledger.tried[key].add("edit")
        await program.change("keys/update", id=key, name=f"{name} renamed", allowedIps=["203.0.113.0/24"])
        self.ledger.edited[key] = f"{name} renamed"
        self.ledger.tried[key].add("revoke")
        await program.change("keys/revoke", id=key, reason="NO_LONGER_NEEDED")
        self.ledger.revoked.add(key)


@pytest.fixture(scope="module")
async def campaign(
    opened: None, environment: dict[str, str], settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Campaign]:
    """The state after the last kill: both nodes run again, without requests."""
    await empty()
    desk = await make_desk()
    with contextlib.ExitStack() as stack:
        began = time.monotonic()
        nodes = started(stack, 2, environment, tmp_path_factory.mktemp("kill"))
        found = Campaign(desk, nodes, await _subjects(desk), first_start=time.monotonic() - began)
        await found.run()
        yield found
    await empty()


async def _subjects(desk: Desk) -> list[tuple[str, str, Slot]]:
    made = [await make_key(desk.team, f"Key {number}") for number in range(5)]
    async with database.transaction():
        await database.fetch("UPDATE api_key SET suspended_at = created_at WHERE id = {}", made[3].key.id)
        await database.fetch("UPDATE api_key SET expires_at = created_at WHERE id = {}", made[4].key.id)
    codes = ["VALID", "VALID", "VALID", "SUSPENDED", "EXPIRED"]
    found = []
    for created, code in zip(made, codes, strict=True):
        for permission in ("pdf.read", "pdf.generate", "pdf.delete"):
            told = "PERMISSION_DENIED" if code == "VALID" and permission == "pdf.delete" else code
            found.append((created.secret or "", permission, (created.key.id, permission, told)))
    # Services also report about the first two keys; all are verified.
    return found


async def _counted() -> collections.Counter[Slot]:
    rows = await database.fetch(
        "SELECT key, permission, outcome, SUM(requests) AS n FROM usage_hour GROUP BY key, permission, outcome"
    )
    return collections.Counter({(row["key"], row["permission"], row["outcome"]): int(row["n"]) for row in rows})


async def test_answered_requests_are_counted_and_others_count_once_or_not_at_all(campaign: Campaign) -> None:
    counted, ledger = await _counted(), campaign.ledger
    assert min(ledger.answered[slot] for _, _, slot in campaign.subjects) > 0
    assert sum(ledger.unanswered.values()) >= KILLS / 2
    for _, _, slot in campaign.subjects:
        assert ledger.answered[slot] <= counted[slot] <= ledger.answered[slot] + ledger.unanswered[slot], slot
    assert set(counted) <= {slot for _, _, slot in campaign.subjects} | set(ledger.reported)


async def test_a_usage_batch_that_is_repeated_until_it_is_answered_counts_exactly_once(campaign: Campaign) -> None:
    counted, ledger = await _counted(), campaign.ledger
    assert sum(ledger.reported.values()) > KILLS
    assert {slot: counted[slot] for slot in ledger.reported} == dict(ledger.reported)


async def test_each_change_is_stored_completely_with_its_entry_or_not_at_all(campaign: Campaign) -> None:
    rows = await database.fetch("SELECT * FROM api_key WHERE workspace = {}", campaign.desk.workspace)
    entries = await database.fetch("SELECT action, target, detail FROM audit_entry WHERE chain = {}", campaign.desk.workspace)
    told = {(entry["action"], entry["target"]): json.loads(entry["detail"]) for entry in entries}
    assert len(told) == len(entries)
    assert {row["id"] for row in rows} == {target for action, target in told if action == "key.created"}
    for row in rows:
        assert (row["revoked_at"] is not None) == (("key.revoked", row["id"]) in told)
        renamed, new = row["name"].endswith("renamed"), told.get(("key.updated", row["id"]))
        assert (renamed, row["allowed_ips"]) == (new is not None, "203.0.113.0/24" if new else "")
        assert new is None or new["name"]["after"] == row["name"]
    await _last_used_rows(rows)


async def _last_used_rows(rows: list[dict[str, Any]]) -> None:
    """A key and the row for its last use are created together."""
    found = await database.fetch("SELECT key FROM key_last_used")
    assert {row["id"] for row in rows} == {row["key"] for row in found}


async def test_an_answered_change_is_stored(campaign: Campaign) -> None:
    rows = {row["id"]: row for row in await database.fetch("SELECT id, name, revoked_at FROM api_key")}
    assert campaign.ledger.created <= set(rows)
    assert {key: rows[key]["name"] for key in campaign.ledger.edited} == campaign.ledger.edited
    assert all(rows[key]["revoked_at"] is not None for key in campaign.ledger.revoked)
    for key, row in rows.items():
        assert row["revoked_at"] is None or "revoke" in campaign.ledger.tried[key]
    assert len(campaign.ledger.revoked) > KILLS


async def test_the_chain_of_every_workspace_is_sound(campaign: Campaign) -> None:
    assert await audit.first_broken(campaign.desk.workspace) is None
    assert await audit.first_broken("system") is None


async def test_the_journal_has_every_answered_revocation_and_a_start_adds_the_others(
    campaign: Campaign, settings: Settings
) -> None:
    known = journal.read(settings.journal_path)
    assert campaign.ledger.revoked <= set(known)
    rows = await database.fetch("SELECT id, revoked_at FROM api_key WHERE revoked_at IS NOT NULL")
    assert {row["id"]: row["revoked_at"] for row in rows}.items() <= known.items()


async def test_the_meter_agrees_with_the_keys(campaign: Campaign) -> None:
    query = "query ($slug: String) { workspace(slug: $slug) { apiKeyLimit { used } apiKeys { totalCount } } }"
    rows = await database.fetch(
        "SELECT count(*) AS n FROM api_key WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > {})",
        await database.now(),
    )
    async with Program(campaign.port(0), campaign.desk.program) as program:
        found = (await program.ask(query, slug=campaign.desk.slug))["workspace"]
    assert found["apiKeyLimit"]["used"] == rows[0]["n"]


def test_a_restart_is_ready_within_seconds(campaign: Campaign) -> None:
    """Compares the fastest restart with a start without a kill, because the others also waited for other load."""
    assert len(campaign.restarts) == KILLS
    assert min(campaign.restarts) < READY_WITHIN_SECONDS + campaign.first_start


async def test_the_database_is_sound(campaign: Campaign, settings: Settings) -> None:
    async with Wire(campaign.port(0)) as wire:
        assert (await readiness(wire)).json() == {"ready": True, "faults": {}}
    if settings.sqlite_path:
        assert _integrity(settings.sqlite_path) == [("ok",)]


def _integrity(path: Path) -> list[Any]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return connection.execute("PRAGMA integrity_check").fetchall()
