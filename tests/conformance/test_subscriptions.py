"""The clients that people use for subscriptions get the same events over both transports."""

from __future__ import annotations

import json
import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from gql import Client, gql
from gql.transport.websockets import WebsocketsTransport

from tests.support.graphql import operation

RUN_SECONDS = 120
OPEN = "{ workspace { slug rotations(first: 1, openOnly: true) { nodes { id deadline } } } }"


@pytest.mark.slow
def test_javascript_clients_get_events_over_websockets_and_server_sent_events(node_programs: Path, served: tuple[str, str]) -> None:
    url, key = served
    rotation, deadline = open_rotation(url, key)
    later = (datetime.now(UTC) + timedelta(days=8)).isoformat()
    extension = {"query": operation("rotations/extend"), "variables": {"input": {"id": rotation, "deadline": later}}}
    asked = {"text": operation("rotations/changed"), "variables": {"id": rotation}, "change": extension}
    done = subprocess.run(
        ["node", "subscriptions.mjs", f"{url}/graphql"],
        input=json.dumps(asked),
        cwd=node_programs,
        env=os.environ | {"KEYDESK_MANAGEMENT_KEY": key},
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert set(found) == {"graphql-ws", "graphql-sse", "apollo", "urql"}
    for client, events in found.items():
        before, after = (event["rotationChanged"]["rotation"] for event in events)
        assert (before["id"], before["deadline"]) == (rotation, deadline), client
        assert after["deadline"] > deadline, client


@pytest.mark.slow
async def test_gql_subscribes_over_a_websocket(served: tuple[str, str]) -> None:
    url, key = served
    address = url.replace("http://", "ws://") + "/graphql"
    protocols = [WebsocketsTransport.GRAPHQLWS_SUBPROTOCOL]
    transport = WebsocketsTransport(url=address, headers={"Authorization": f"Bearer {key}"}, subprotocols=protocols)
    async with Client(transport=transport) as session:
        asked = gql(operation("alerts/raised"))
        asked.variable_values = {"workspace": "acme"}
        async for event in session.subscribe(asked):
            assert event["alertRaised"]["alert"] is None
            break


def open_rotation(url: str, key: str) -> tuple[str, str]:
    headers = {"Authorization": f"Bearer {key}"}
    content = httpx.post(f"{url}/graphql", json={"query": OPEN}, headers=headers, timeout=30).json()
    (rotation,) = content["data"]["workspace"]["rotations"]["nodes"]
    return rotation["id"], rotation["deadline"]
