"""A server that starts on yesterday's database."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from app import database
from app.keys import service as keys
from app.keys.key import Reason
from tests.cli.conftest import Keydesk
from tests.conftest import GATEWAY_TOKEN, Team, make_key
from tests.support.server import Server


async def brought_back(team: Team) -> str:
    """The secret of a revoked key, in a database without the revocation."""
    made = await make_key(team)
    await keys.revoke(team.owner, made.key.id, Reason.OTHER)
    async with database.transaction():
        await database.fetch("UPDATE api_key SET revoked_at = NULL")
        await database.fetch("DELETE FROM audit_entry WHERE action = 'key.revoked'")
        await database.fetch("UPDATE workspace SET audit_length = 1, audit_head = (SELECT mac FROM audit_entry)")
    assert made.secret is not None
    return made.secret


def verdict(node: Server, secret: str) -> str:
    answer = httpx.post(f"{node.url}/v1/verify", json={"key": secret}, headers={"Authorization": f"Bearer {GATEWAY_TOKEN}"})
    return str(answer.json()["code"])


@pytest.mark.slow
async def test_the_first_request_with_a_key_that_a_restore_brought_back_is_refused(
    environment: dict[str, str], team: Team, keydesk: Keydesk, tmp_path: Path
) -> None:
    secret = await brought_back(team)
    assert "to be 1 API keys revoked" in keydesk.run("doctor").stdout
    with Server(environment, tmp_path).running() as node:
        assert verdict(node, secret) == "REVOKED"
        assert "taken away again, as the revocation journal says: 1 API keys revoked" in node.log.read_text()


@pytest.mark.slow
async def test_without_journal_keeps_the_old_state_permanently(environment: dict[str, str], team: Team, tmp_path: Path) -> None:
    secret = await brought_back(team)
    server = Server(environment, tmp_path)
    for options in (("--without-journal",), ()):
        server.start(options=options)
        assert verdict(server, secret) == "VALID"
        server.stop()
