"""Unusual use is an alert within a minute: real requests to a running node, for each of the four anomalies and for an attack."""

from __future__ import annotations

import asyncio
import time
import uuid
from typing import Any

import pytest

from app import database
from app.clock import DAY, HOUR, rfc3339
from app.keys.create import Created
from tests.conftest import make_key
from tests.faults.conftest import Desk, StartNodes
from tests.support.graphql import operation
from tests.support.http import Gateway, Program, Undecided

pytestmark = pytest.mark.slow
HOME, STRANGE = "198.51.100.7", "203.0.113.9"
# The promise is a minute; a busy machine gets more.
WITHIN_SECONDS = 150.0


async def worked(gateway: Gateway, made: Created, now: int, hours: tuple[int, ...]) -> None:
    """Four weeks of use from HOME, in these hours before now, as a service reports it."""
    instants = [now - day * DAY - hour * HOUR for day in range(1, 29) for hour in hours]
    events: list[dict[str, Any]] = [
        {"keyId": made.key.id, "at": rfc3339(at), "status": 200, "permission": "pdf.read", "ip": HOME, "userAgent": "okhttp/4"}
        for at in instants
    ]
    answer = await gateway.report(str(uuid.uuid4()), events)
    assert answer.json()["accepted"] == len(events), answer.body


async def alerts_of(program: Program, wanted: set[tuple[str, str]]) -> dict[tuple[str, str], Any]:
    """The open alerts by key and kind, once all that are wanted are there."""
    deadline, found = time.monotonic() + WITHIN_SECONDS, dict[tuple[str, str], Any]()
    while not wanted <= found.keys() and time.monotonic() < deadline:
        await asyncio.sleep(0.5)
        try:
            listed = await program.ask(operation("alerts/list"), first=100)
        except Undecided:
            continue
        found = {(each["apiKey"]["id"], each["kind"]): each for each in listed["workspace"]["alerts"]["nodes"]}
    return found


async def test_each_anomaly_is_an_alert_of_its_key_and_of_no_other(desk: Desk, nodes: StartNodes) -> None:
    names = ("network", "failures", "night", "permission", "quiet")
    keys = {name: await make_key(desk.team, name, permissions=("pdf.read", "pdf.generate")) for name in names}
    (node,) = await asyncio.to_thread(nodes, 1)
    now = await database.now()
    async with Gateway(node.port, desk.gateway) as gateway, Program(node.port, desk.program) as program:
        for name, made in keys.items():
            # The hour of now among them, but for the key that is not used at this time.
            await worked(gateway, made, now, (9, 10, 11, 12, 13) if name == "night" else (0, 6, 12, 18, 23))
        usual: dict[str, Any] = {"permission": "pdf.read", "ip": HOME, "userAgent": "okhttp/4"}
        secrets = {name: made.secret or "" for name, made in keys.items()}
        assert (await gateway.verdict(secrets["quiet"], **usual)).json()["valid"]
        assert (await gateway.verdict(secrets["network"], **usual | {"ip": STRANGE, "userAgent": "curl/8"})).json()["valid"]
        for _ in range(40):
            assert not (await gateway.verdict(secrets["failures"], **usual, environment="staging")).json()["valid"]
        for _ in range(5):
            assert (await gateway.verdict(secrets["night"], **usual)).json()["valid"]
        assert (await gateway.verdict(secrets["permission"], **usual | {"permission": "pdf.generate"})).json()["valid"]
        wanted = {
            (keys["network"].key.id, "UNEXPECTED_NETWORK"),
            (keys["failures"].key.id, "FAILURE_SPIKE"),
            (keys["night"].key.id, "OUTSIDE_BUSINESS_HOURS"),
            (keys["permission"].key.id, "UNUSED_PERMISSION"),
        }
        found = await alerts_of(program, wanted)
    assert set(found) == wanted
    assert found[keys["network"].key.id, "UNEXPECTED_NETWORK"]["evidence"]["networks"] == ["203.0.113.0/24"]


async def test_an_attack_on_a_key_that_was_just_made_is_an_alert(desk: Desk, nodes: StartNodes) -> None:
    """120 refused requests from 120 networks."""
    (node,) = await asyncio.to_thread(nodes, 1)
    made = await make_key(desk.team, permissions=("pdf.read",))
    async with Gateway(node.port, desk.gateway) as gateway, Program(node.port, desk.program) as program:
        for number in range(120):
            answer = await gateway.verdict(made.secret or "", permission="pdf.delete", ip=f"{20 + number}.9.9.9")
            assert answer.json()["code"] == "PERMISSION_DENIED"
        found = await alerts_of(program, {(made.key.id, "FAILURE_SPIKE")})
    alert = found[made.key.id, "FAILURE_SPIKE"]
    assert alert["count"] >= 10 and alert["evidence"]["networkCount"] >= 10


async def test_the_network_of_a_refused_request_with_a_revoked_key_is_in_its_alert(desk: Desk, nodes: StartNodes) -> None:
    (node,) = await asyncio.to_thread(nodes, 1)
    made = await make_key(desk.team)
    async with Gateway(node.port, desk.gateway) as gateway, Program(node.port, desk.program) as program:
        await program.change("keys/revoke", id=made.key.id, reason="SUSPICIOUS_ACTIVITY")
        async with database.transaction():
            # As if it had been revoked an hour ago: what comes within a minute was on its way.
            await database.fetch("UPDATE api_key SET revoked_at = revoked_at - {} WHERE id = {}", HOUR, made.key.id)
        assert (await gateway.verdict(made.secret or "", ip=STRANGE)).json()["code"] == "REVOKED"
        found = await alerts_of(program, {(made.key.id, "USE_AFTER_REVOCATION")})
    assert found[made.key.id, "USE_AFTER_REVOCATION"]["evidence"]["networks"] == ["203.0.113.0/24"]
