"""Apollo Client and urql's Graphcache store what the published operations read, by `__typename` and `id` alone."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.graphql import operation, operations
from tests.support.processes import ROOT

RUN_SECONDS = 120
ALERT_SECONDS = 90
# A person's own mail, what only an owner may see, and what only the operator may.
NOT_FOR_PROGRAMS = {"alerts/mail", "management/list", "workspaces/list"}
SOME_IDS = """{ workspace {
  slug
  apiKeys(first: 1) { nodes { id } }
  all: apiKeys(first: 100) { nodes { requests(first: 1) { nodes { id } } } }
  rotations(first: 1) { nodes { id } }
  alerts(first: 1) { nodes { id } }
} }"""
WEBHOOK = """mutation($input: CreateWebhookInput!) { createWebhook(input: $input) {
  ... on CreateWebhookPayload { webhook { id } }
  ... on Problem { message }
} }"""


def configuration() -> str:
    """The JavaScript that docs/graphql.md gives for these caches."""
    (found,) = re.findall(r"```js\n(const values = .*?)```", (ROOT / "docs" / "graphql.md").read_text(encoding="utf-8"), re.DOTALL)
    return str(found)


def ask(url: str, key: str, query: str, **variables: Any) -> Any:
    headers = {"Authorization": f"Bearer {key}"}
    content = httpx.post(f"{url}/graphql", json={"query": query, "variables": variables}, headers=headers, timeout=30).json()
    assert "errors" not in content, content
    return content["data"]


def with_an_alert(url: str, key: str) -> Any:
    """The ids, as soon as the server has raised the demo's alerts."""
    for _ in range(ALERT_SECONDS * 2):
        workspace = ask(url, key, SOME_IDS)["workspace"]
        if workspace["alerts"]["nodes"]:
            return workspace
        time.sleep(0.5)
    raise AssertionError("no alert was raised")


def named(name: str, **variables: Any) -> dict[str, Any]:
    return {"name": name, "text": operation(name), "variables": variables}


def reads(url: str, key: str) -> list[dict[str, Any]]:
    """Every published query that a program may send, with ids of the demo's workspace."""
    workspace = with_an_alert(url, key)
    (api_key,), (rotation,), (alert,) = (workspace[name]["nodes"] for name in ("apiKeys", "rotations", "alerts"))
    request = next(node for each in workspace["all"]["nodes"] for node in each["requests"]["nodes"])
    hook = {"workspace": workspace["slug"], "name": "Hook", "url": "https://hooks.example/keydesk"}
    webhook = ask(url, key, WEBHOOK, input=hook)["createWebhook"]["webhook"]
    needed: dict[str, dict[str, Any]] = {
        "alerts/automatic-suspension": {"kind": "FAILURE_SPIKE"},
        "alerts/show": {"id": alert["id"]},
        "keys/leaked": {"sha256": ["0" * 64]},
        "requests/show": {"id": request["id"]},
        "rotations/show": {"id": rotation["id"]},
        "webhooks/deliveries": {"id": webhook["id"]},
    }
    found = []
    for name in operations():
        text = operation(name)
        if re.search(r"^query ", text, re.MULTILINE) and name not in NOT_FOR_PROGRAMS:
            wants_id = "$id: ID!" in text
            found.append(named(name, **needed.get(name, {"id": api_key["id"]} if wants_id else {})))
    return found


@pytest.mark.slow
def test_normalized_caches_answer_every_operation_as_the_server_did(node_programs: Path, served: tuple[str, str]) -> None:
    url, key = served
    asked = reads(url, key)
    found = _run(node_programs, url, key, asked)
    for client in ("apollo", "urql"):
        assert found[client]["warnings"] == [], client
        for result in found[client]["results"]:
            assert "error" not in result, (client, result["name"], result["error"])
            assert result["cached"] == result["answer"], (client, result["name"])
        assert len(found[client]["results"]) == len(asked)


@pytest.mark.slow
def test_a_change_reaches_what_a_normalized_cache_holds(node_programs: Path, served: tuple[str, str]) -> None:
    url, key = served
    (api_key,) = ask(url, key, "{ workspace { apiKeys(first: 1) { nodes { id } } } }")["workspace"]["apiKeys"]["nodes"]
    rename = named("keys/update", input={"id": api_key["id"], "name": "Renamed with CLIENT"})
    found = _run(node_programs, url, key, [named("keys/list"), rename, named("keys/list") | {"cachedOnly": True}])
    for client in ("apollo", "urql"):
        before, changed, after = found[client]["results"]
        assert found[client]["warnings"] == [] and changed["answer"]["updateApiKey"]["apiKey"]["name"] == f"Renamed with {client}"
        names = [{node["id"]: node["name"] for node in _nodes(answer)} for answer in (before["answer"], after["cached"])]
        assert names[1] == names[0] | {api_key["id"]: f"Renamed with {client}"} != names[0]


def _nodes(answer: Any) -> list[dict[str, Any]]:
    nodes: list[dict[str, Any]] = answer["workspace"]["apiKeys"]["nodes"]
    return nodes


def _run(node_programs: Path, url: str, key: str, asked: list[dict[str, Any]]) -> dict[str, Any]:
    done = subprocess.run(
        ["node", "caches.mjs", f"{url}/graphql"],
        input=json.dumps({"configuration": configuration(), "operations": asked}),
        cwd=node_programs,
        env=os.environ | {"KEYDESK_MANAGEMENT_KEY": key},
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found
