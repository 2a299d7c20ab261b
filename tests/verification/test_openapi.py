"""The published OpenAPI document is the code's, and real answers of every route of `/v1`, with every code, are as it says."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from app import database
from app.asgi import Receive, Scope, Send
from app.clock import DAY, rfc3339
from app.errors import Unavailable
from app.keys.secret import generate
from app.leaks.revocation_routes import SelfRevocation
from app.leaks.routes import LeakReports
from app.openapi import document
from app.settings import Settings
from app.verification.verdict import Code
from tests.conftest import GATEWAY_TOKEN, Team, make_key
from tests.leaks.test_github_reports import KEY, NAME, key_list, report_of, signed
from tests.support.json_schema import faults
from tests.verification.conftest import NOW, Service, change_key

DOCUMENT = document()
SCHEMAS = DOCUMENT["components"]["schemas"]
GATEWAY = {"authorization": f"Bearer {GATEWAY_TOKEN}"}
PROXY = {"x-gateway-token": GATEWAY_TOKEN}
# What takes ten seconds of waiting, and a bug.
NOT_PROVOKED = {"408", "500"}


@dataclass
class Reader:
    """Sends requests, and compares each answer with the document. `seen`: path and status of all of them."""

    app: Any
    seen: set[tuple[str, str]] = field(default_factory=set)
    codes: set[tuple[str, str]] = field(default_factory=set)

    async def send(self, method: str, target: str, headers: dict[str, str], body: bytes = b"", address: str = "203.0.113.9") -> Any:
        transport = httpx.ASGITransport(self.app, client=(address, 50_000))
        async with httpx.AsyncClient(transport=transport, base_url="http://keydesk.test") as client:
            answer = await client.request(method, target, headers=headers, content=body)
        path = target.partition("?")[0]
        self.seen.add((path, str(answer.status_code)))
        told = DOCUMENT["paths"][path][method.lower()]["responses"][str(answer.status_code)]
        _assert_headers(told.get("headers", {}), answer)
        if "content" not in told:
            assert answer.content == b""
            return None
        ((kind, content),) = told["content"].items()
        assert answer.headers["content-type"] == kind
        found = answer.json()
        assert faults(found, content["schema"], SCHEMAS) == []
        if isinstance(found, dict) and "code" in found:
            self.codes.add((path, found["code"]))
        return found

    async def verify(self, key: str | None, **asked: Any) -> Any:
        return await self.send("POST", "/v1/verify", GATEWAY, json.dumps({"key": key} | asked).encode())


def _assert_headers(told: dict[str, Any], answer: httpx.Response) -> None:
    for name, link in told.items():
        required = DOCUMENT["components"]["headers"][link["$ref"].rpartition("/")[2]]["required"]
        assert not required or name in answer.headers, name


@pytest.fixture
async def reader(service: Service, settings: Settings, tmp_path: Path) -> AsyncIterator[Reader]:
    """All routes of `/v1`, as a whole node has them."""
    keys = tmp_path / "keys.json"
    keys.write_bytes(key_list(**{NAME: KEY}))
    others = {
        "/v1/self/revocation": SelfRevocation(settings),
        "/v1/leaks": LeakReports(str(keys), (), lambda scope: scope["client"][0]),
    }

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await others.get(scope["path"], service.app)(scope, receive, send)

    database.freeze(NOW)
    yield Reader(app)


def test_the_published_document_is_the_one_that_the_code_generates(root: Path) -> None:
    published = json.loads((root / "docs/openapi.json").read_text())
    assert published == DOCUMENT, "run: keydesk openapi > docs/openapi.json"


def test_every_reference_leads_somewhere_and_every_schema_is_used() -> None:
    text = json.dumps(DOCUMENT)
    links = {part.partition('"')[0] for part in text.split('"$ref": "')[1:]}
    assert {link.removeprefix("#/components/schemas/") for link in links if "/schemas/" in link} == set(SCHEMAS)
    assert {link.removeprefix("#/components/headers/") for link in links if "/headers/" in link} == set(
        DOCUMENT["components"]["headers"]
    )
    named = {name for path in DOCUMENT["paths"].values() for each in path.values() for way in each["security"] for name in way}
    assert named == set(DOCUMENT["components"]["securitySchemes"])


async def test_real_answers_of_every_route_and_code_are_as_the_document_says(
    reader: Reader, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await make_key(team, "Bound", allowed_ips=("203.0.113.0/24",), expires_at=NOW + 3 * DAY)
    plain, key = await make_key(team, "Plain"), {"x-api-key": str(made.secret)}
    await _verdicts(reader, str(made.secret), team)
    await _mistakes(reader, key)
    await _reports(reader, plain.key.id)
    found = {"x-api-key": str(plain.secret)}
    await reader.send("GET", "/v1/self", found)
    await reader.send("POST", "/v1/self/revocation", found, b'{"reason": "OTHER", "note": "x"}')
    await reader.send("POST", "/v1/self/revocation", {"x-api-key": generate("fl", "live")})
    await _floods(reader)
    await _outage(reader, key, monkeypatch)
    told = {
        (path, status)
        for path, methods in DOCUMENT["paths"].items()
        for each in methods.values()
        for status in each["responses"]
        if status not in NOT_PROVOKED
    }
    # Only a gateway token of the settings that has the form of a secret is refused there.
    assert told - reader.seen == {("/v1/self/revocation", "403")} and reader.seen <= told
    every = set(Code)
    assert {code for path, code in reader.codes if path == "/v1/verify"} >= every
    assert {code for path, code in reader.codes if path == "/v1/forward-auth"} >= every - {Code.VALID}
    assert {code for path, code in reader.codes if path == "/v1/self"} >= every - {
        *(Code.VALID, Code.ENVIRONMENT_NOT_ALLOWED, Code.PERMISSION_DENIED)
    }


async def _verdicts(reader: Reader, secret: str, team: Team) -> None:
    """Every code at each of the three routes."""

    async def ask(key: str, address: str = "203.0.113.9", **asked: str) -> None:
        await reader.verify(key, ip=address, **asked)
        query = "&".join(f"{name}={value}" for name, value in asked.items())
        headers = {**PROXY, "x-api-key": key, "x-forwarded-for": address}
        await reader.send("GET", f"/v1/forward-auth?{query}", headers)
        if not asked:
            await reader.send("GET", "/v1/self", {"x-api-key": key}, address=address)

    await ask(secret)
    await ask(secret, permission="pdf.delete")
    await ask(secret, environment="staging")
    await ask(secret, address="198.51.100.7")
    await ask("nothing")
    await ask(generate("fl", "live"))
    for name, columns in (("S", {"suspended_at": NOW}), ("E", {"expires_at": NOW}), ("R", {"revoked_at": NOW})):
        other = await make_key(team, name)
        await change_key(other.key.id, **columns)
        await ask(str(other.secret))


async def _mistakes(reader: Reader, key: dict[str, str]) -> None:
    for path in ("/v1/verify", "/v1/usage"):
        await reader.send("POST", path, {})
        await _bodies(reader, path, GATEWAY)
    await _bodies(reader, "/v1/self/revocation", key)
    await reader.send("POST", "/v1/self/revocation", {})
    await reader.send("POST", "/v1/self/revocation", key, b'{"why": 1, "reason": "BORED"}')
    await reader.send("GET", "/v1/forward-auth", PROXY)
    await reader.send("GET", "/v1/forward-auth?permission=nothing.known", {**PROXY, **key})
    await reader.send("GET", "/v1/self", {})
    await reader.send("GET", "/v1/self?x=1", key)
    await reader.send("POST", "/v1/leaks", {})
    await _bodies(reader, "/v1/leaks", signed(b"{"))


async def _bodies(reader: Reader, path: str, headers: dict[str, str]) -> None:
    await reader.send("POST", path, headers, b"{")
    await reader.send("POST", path, headers | {"content-encoding": "gzip"}, b"{")
    await reader.send("POST", path, headers, b"x" * (3 * 1024 * 1024))


async def _reports(reader: Reader, key_id: str) -> None:
    events = [{"keyId": name, "at": rfc3339(NOW), "status": 200} for name in (key_id, "key_unknown")]
    body = json.dumps({"batchId": str(uuid.uuid4()), "events": events}).encode()
    first = await reader.send("POST", "/v1/usage", GATEWAY, body)
    assert (first["accepted"], len(first["rejected"])) == (1, 1)
    assert (await reader.send("POST", "/v1/usage", GATEWAY, body))["duplicate"] is True
    leaks = report_of("some token", generate("fl", "live"))
    assert len(await reader.send("POST", "/v1/leaks", signed(leaks), leaks)) == 2


async def _floods(reader: Reader) -> None:
    for method, path, headers in (
        ("GET", "/v1/self", {"x-api-key": "x"}),
        ("POST", "/v1/self/revocation", {"x-api-key": "x"}),
        ("POST", "/v1/leaks", signed(b"x")),
    ):
        while (path, "429") not in reader.seen:
            await reader.send(method, path, headers, address="198.51.100.9")


async def _outage(reader: Reader, key: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    async def unavailable(*_: object, **__: object) -> Any:
        raise Unavailable(internal="the test says so")

    monkeypatch.setattr("app.verification.store.read", unavailable)
    monkeypatch.setattr("app.leaks.credentials.opened_by", unavailable)
    await reader.verify("fl_live_" + "0" * 38)
    await reader.verify(key["x-api-key"])
    await reader.send("GET", "/v1/forward-auth", {**PROXY, **key})
    await reader.send("POST", "/v1/usage", GATEWAY, json.dumps({"batchId": str(uuid.uuid4()), "events": []}).encode())
    await reader.send("GET", "/v1/self", key, address="198.51.100.10")
    await reader.send("POST", "/v1/self/revocation", key, address="198.51.100.10")
    leaks = report_of(key["x-api-key"])
    await reader.send("POST", "/v1/leaks", signed(leaks), leaks, address="198.51.100.10")


@pytest.mark.parametrize(
    ("value", "schema"),
    [
        ({"a": 1}, {"type": "object", "properties": {"a": {"type": "string"}}}),
        ({"b": 1}, {"type": "object", "properties": {}}),
        ({}, {"type": "object", "required": ["a"]}),
        (["x", 1], {"type": "array", "items": {"type": "string"}}),
        (True, {"type": "integer"}),
        (None, {"anyOf": [{"type": "string"}, {"type": "integer"}]}),
        ("X", {"enum": ["Y"]}),
        (1, {"$ref": "#/components/schemas/Text"}),
    ],
)
def test_the_check_of_the_tests_finds_what_is_wrong(value: Any, schema: dict[str, Any]) -> None:
    assert len(faults(value, schema, {"Text": {"type": "string"}})) >= 1
    with pytest.raises(AssertionError):
        faults(value, {"pattern": "x"}, {})
