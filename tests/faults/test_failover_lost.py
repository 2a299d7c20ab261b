"""A standby promoted without the primary's last commits: acknowledged revocations stay in effect."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest

from tests.conftest import GATEWAY_TOKEN, KIND
from tests.faults.conftest import started
from tests.faults.test_failover import Pair, _environment, _made, _replayed, _run, pair
from tests.faults.test_postgres_gone import _keydesk
from tests.support.http import Gateway
from tests.support.proxy import Proxy

__all__ = ["pair"]
pytestmark = [pytest.mark.slow, pytest.mark.skipif(KIND != "postgres", reason="it is about PostgreSQL")]
_OWNER = ["create-owner", "--email", "ann@example.org", "--name", "Ann", "--workspace", "Acme"]
_PROGRAM = ["management-key", "create", "--workspace", "acme", "--scopes", "keys.write", "--expires", "1d"]


async def test_a_revocation_that_a_promoted_standby_lacks_is_replayed_there(pair: Pair, tmp_path: Path) -> None:
    proxy = Proxy(pair.primary.get_uri())
    with contextlib.ExitStack() as stack:
        async with proxy.running() as url:
            environment = _environment(url, tmp_path)
            (node,) = await asyncio.to_thread(started, stack, 1, environment, tmp_path)
            await _keydesk(environment, _OWNER, "quite a long horse 7\n")
            made = await _made(node.port, (await _keydesk(environment, _PROGRAM)).strip(), "One")
            await _replayed(pair)
            # The standby does not get what the primary commits from here on.
            await _run(pair.standby.get_uri(), "SELECT pg_promote()")
            await _keydesk(environment, ["revoke", "--reason", "OTHER"], f"{made['secret']}\n")
            async with Gateway(node.port, GATEWAY_TOKEN) as gateway:
                assert (await gateway.verdict(made["secret"], permission="pdf.read")).json()["code"] == "REVOKED"
                proxy.redirect_to(pair.standby.get_uri())
                proxy.disconnect_all()
                async with asyncio.timeout(40):
                    while (await gateway.verify(made["secret"], permission="pdf.read")).json()["code"] != "REVOKED":
                        await asyncio.sleep(0.05)
        entries = "SELECT count(*) FROM audit_entry WHERE action = 'key.revoked'"
        assert await _run(pair.standby.get_uri(), entries) == 1
