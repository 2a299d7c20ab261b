"""Anyone who reads what was counted sees every answered request, on any node, while the nodes fold the usage log."""

from __future__ import annotations

import asyncio

import pytest

from tests.conftest import make_key
from tests.faults.conftest import Desk, StartNodes
from tests.support.http import Gateway, Program, Undecided

pytestmark = pytest.mark.slow
REQUESTS = 60
READ = """query ($id: ID!) { node(id: $id) { ... on ApiKey {
  lastUsedAt usage { totalRequests successfulRequests byPermission { permission total } }
  callers(first: 10) { nodes { requests lastSeenAt } }
} } }"""


async def test_every_read_after_an_answer_includes_it(desk: Desk, nodes: StartNodes) -> None:
    made = await make_key(desk.team)
    first, second = await asyncio.to_thread(nodes, 2)
    counted, undecided, last = 0, 0, ""
    async with Gateway(first.port, desk.gateway) as gateway, Program(second.port, desk.program) as program:
        while counted < REQUESTS:
            answer = await gateway.verify(made.secret or "", permission="pdf.generate", ip="203.0.113.9", userAgent="curl/8.5")
            counted, undecided = counted + (answer.status == 200), undecided + (answer.status == 503)
            try:
                key = (await program.ask(READ, id=made.key.id))["node"]
            except Undecided:
                continue
            counts = key["usage"]
            # A request that was not answered counts once or not at all.
            assert counted <= counts["totalRequests"] == counts["successfulRequests"] <= counted + undecided
            if not counted:
                continue
            assert [each["total"] for each in key["usage"]["byPermission"]] == [counts["totalRequests"]]
            (caller,) = key["callers"]["nodes"]
            assert caller["requests"] == counts["totalRequests"]
            assert last < key["lastUsedAt"] == caller["lastSeenAt"] or answer.status == 503
            last = key["lastUsedAt"]
