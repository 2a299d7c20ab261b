"""A revocation journal that cannot be written, or that lacks lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.audit import service as audit
from app.journal import file as journal
from tests.conftest import make_key
from tests.faults.conftest import Desk, StartNodes, listening, readiness
from tests.support.http import Gateway, Program, Wire

FAULT = {"journal": "the revocation journal cannot be written"}


@pytest.mark.slow
async def test_with_a_journal_that_cannot_be_written_a_revocation_is_in_effect_and_readyz_reports_it(
    desk: Desk, nodes: StartNodes, tmp_path: Path
) -> None:
    path = tmp_path / "journal" / "revocations.jsonl"
    (node,) = nodes(1, KEYDESK_REVOCATION_JOURNAL=str(path))
    first, second = [await make_key(desk.team, name) for name in ("First", "Second")]
    path.unlink()
    path.mkdir()
    async with Program(node.port, desk.program) as program, Gateway(node.port, desk.gateway) as gateway, Wire(node.port) as wire:
        assert (await program.change("keys/revoke", id=first.key.id, reason="OTHER"))["apiKey"]["status"] == "REVOKED"
        assert (await gateway.verdict(first.secret or "")).json()["code"] == "REVOKED"
        ready = await readiness(wire)
        assert (ready.status, ready.json()) == (503, {"ready": False, "faults": FAULT})
        assert (await wire.send("GET", "/livez")).status == 200
        path.rmdir()
        await program.change("keys/revoke", id=second.key.id, reason="OTHER")
        assert (await readiness(wire)).status == 200
    node.kill()
    assert set(journal.read(path)) == {second.key.id}
    node.start()
    assert set(journal.read(path)) == {first.key.id, second.key.id}
    assert await audit.first_broken(desk.workspace) is None


@pytest.mark.slow
async def test_a_journal_that_cannot_be_written_is_reported_before_any_revocation(
    desk: Desk, nodes: StartNodes, tmp_path: Path
) -> None:
    path = tmp_path / "journal.jsonl"
    (node,) = nodes(1, KEYDESK_REVOCATION_JOURNAL=str(path))
    node.kill()
    path.unlink()
    path.mkdir()
    node.start(ready=False)
    async with Wire(node.port) as wire:
        await listening(node)
        assert (await readiness(wire)).json()["faults"] == FAULT
