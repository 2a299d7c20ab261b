"""Known secrets pass through all functions; each is found only in the answer that showed it, and nowhere else."""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from app import clock, database
from app.access.actor import Actor, Scope
from app.gateway_tokens import service as gateway_tokens
from app.keys.secret import PATTERN
from app.plans import service as plans
from app.settings import Settings
from tests.conftest import GATEWAY_TOKEN, KIND, PEPPER
from tests.faults.conftest import StartNodes
from tests.support.crawl import crawl, reads
from tests.support.graphql import operation
from tests.support.http import Answer, Gateway, Program, Unanswered, Wire
from tests.support.leaks import Secret
from tests.support.postgres import Postgres
from tests.support.server import Server
from tests.support.visitor import Visitor

pytestmark = pytest.mark.slow
SHOWN = len("fl_live_a1b2")
NEW: dict[str, Any] = {"environment": "production", "permissions": ["pdf.read"]}
PASSWORD, WRONG_PASSWORD = secrets.token_urlsafe(20), secrets.token_urlsafe(20)


@dataclass
class Trail:
    """All answers by request, and the secrets, each with a regular expression of the requests whose answers may contain it
    (a one-time link is also in the form behind it)."""

    answers: list[tuple[str, bytes]] = field(default_factory=list)
    secrets: list[tuple[Secret, str | None]] = field(default_factory=list)

    def note(self, asked: str, answer: Answer) -> Answer:
        self.answers.append((asked, answer.head + answer.body))
        return answer

    def note_pages(self, visitor: Visitor) -> None:
        for page in visitor.seen:
            head = "".join(f"{name}: {value}\n" for name, value in page.headers.multi_items())
            self.answers.append((f"{page.request.method} {page.request.url.path} {page.status_code}", head.encode() + page.content))

    def keep(self, name: str, text: str, shown_in: str | None = None, **kind: Any) -> str:
        assert len(text) >= 20
        self.secrets.append((Secret(name, text, **kind), shown_in))
        return text


async def test_a_secret_is_in_the_answer_that_showed_it_and_nowhere_else(
    db: None, nodes: StartNodes, settings: Settings, request: pytest.FixtureRequest, environment: dict[str, str]
) -> None:
    (node,) = nodes(1, KEYDESK_LOG_LEVEL="DEBUG")
    trail = Trail()
    async with Visitor(node.url) as visitor:
        slug = await _set_up(trail, visitor, node)
        ids = await _make(trail, visitor, node, slug)
        await _use(trail, node)
        await _read_everything(trail, visitor, node, slug, ids)
        await _provoke(trail, visitor, node, slug)
        trail.note_pages(visitor)
    assert node.stop() == 0
    places = _places(node, settings, request)
    assert places["log"].count(b"Traceback") >= 2
    for secret, shown_in in trail.secrets:
        leaking = {asked for asked, content in trail.answers if secret.found_in(content)}
        assert {asked for asked in leaking if not shown_in or not re.fullmatch(shown_in, asked)} == set(), secret.name
        assert bool(leaking) is bool(shown_in), secret.name
        assert [place for place, content in places.items() if secret.found_in(content)] == [], secret.name
        # The shown prefixes are found, which proves that the search reads the real data.
        assert not secret.shown or any(secret.text[: secret.shown].encode() in content for content in places.values())


async def _set_up(trail: Trail, visitor: Visitor, node: Server) -> str:
    """Creates the first owner with the link on the console."""
    link = node.set_up_link().rsplit("/", 1)[1]
    trail.keep("set-up link", link, rf"(GET|POST) /set-up/{link} (200|422)", digests=False)
    trail.keep("password", PASSWORD)
    trail.keep("wrong password", WRONG_PASSWORD)
    trail.keep("pepper", PEPPER, parts=False)
    await visitor.get(f"/set-up/{link}")
    fields = {"email": "ann@example.org", "name": "Ann", "workspace": "Acme"}
    await visitor.post(f"/set-up/{link}", **fields, password="short")
    assert (await visitor.post(f"/set-up/{link}", **fields, password=PASSWORD)).status_code == 303
    await visitor.post(f"/set-up/{link}", **fields, password=PASSWORD)
    (first,) = [cookie.value or "" for cookie in visitor.client.cookies.jar]
    trail.keep("first session", first, f"POST /set-up/{link} 303", digests=False)
    async with Visitor(node.url) as another:
        for password in (WRONG_PASSWORD, PASSWORD):
            await another.post("/sign-in", email="ann@example.org", password=password)
        (second,) = [cookie.value or "" for cookie in another.client.cookies.jar]
        trail.keep("second session", second, "POST /sign-in 303", digests=False)
        trail.note_pages(another)
    await plans.change_plan(Actor.operator(), "acme", "scale_enterprise")
    return "acme"


async def _make(trail: Trail, visitor: Visitor, node: Server, slug: str) -> dict[str, str]:
    """Creates keys of every kind; returns an id for each type of object."""
    address = f"/w/{slug}/settings/api-keys/new"
    await visitor.get(address)
    for _ in range(2):
        answer = await visitor.post(address, name="By form", once="once-and-only-once", confirmed="yes", **NEW)
        if answer.status_code == 201:
            trail.keep("key by form", _secret_in(answer.text), f"POST {address} 201", shown=SHOWN)
    managing = await _as_owner(trail, visitor, node, "management/create", name="CI", scopes=list(Scope), expiresAt=await _soon())
    token = trail.keep("management key", managing["secret"], "management/create", shown=SHOWN)
    async with Program(node.port, token) as program:
        asked = {"name": "By program", "idempotencyKey": "once-and-only-once"} | NEW
        for name in ("keys/create", "keys/create again"):
            answer = await program.post("/graphql", {"query": operation("keys/create"), "variables": {"input": asked}}, token=token)
            made = trail.note(name, answer).json()["data"]["createApiKey"]
            if made["secret"]:
                trail.keep("key by program", made["secret"], "keys/create", shown=SHOWN)
    made_token = await gateway_tokens.create(Actor.operator(), "The gateway")
    trail.keep("gateway token", made_token.secret, shown=SHOWN)
    trail.keep("gateway token of the settings", GATEWAY_TOKEN, parts=False)
    (workspace,) = await database.fetch("SELECT id FROM workspace")
    return {"ApiKey": made["apiKey"]["id"], "ManagementKey": managing["managementKey"]["id"], "Workspace": workspace["id"]}


def _secret_in(text: str) -> str:
    (found,) = {match.group() for match in PATTERN.finditer(text)}
    return str(found)


async def _soon() -> str:
    return clock.rfc3339(await database.now() + 7 * clock.DAY)


async def _as_owner(trail: Trail, visitor: Visitor, node: Server, name: str, /, **given: Any) -> Any:
    """Runs a published mutation with the dashboard's session."""
    headers = {"cookie": _cookie(visitor), "origin": node.url, "x-csrf-token": visitor.csrf}
    body = {"query": operation(name), "variables": {"input": given}}
    async with Wire(node.port) as wire:
        answer = trail.note(name, await wire.send("POST", "/graphql", json.dumps(body).encode(), headers))
    (found,) = answer.json()["data"].values()
    return found


def _cookie(visitor: Visitor) -> str:
    return "; ".join(f"{cookie.name}={cookie.value}" for cookie in visitor.client.cookies.jar)


def _of(trail: Trail, name: str) -> str:
    return next(secret.text for secret, _ in trail.secrets if secret.name == name)


async def _use(trail: Trail, node: Server) -> None:
    """Uses the secrets at the gateway, with valid and invalid requests."""
    key, other = _of(trail, "key by form"), _of(trail, "key by program")
    for token in (_of(trail, "gateway token"), GATEWAY_TOKEN):
        async with Gateway(node.port, token) as gateway:
            for asked in (
                {"permission": "pdf.read"},
                {"permission": "pdf.delete"},
                {"permission": key},
                {"ip": "203.0.113.9"},
                {"ip": key},
                {key: key},
            ):
                trail.note(f"verify {list(asked)}", await gateway.verify(key, **asked))
            for text in (token, _of(trail, "management key"), key[:-1], key + "x", f"{key}\r\nx", [key], {"key": key}):
                trail.note("verify something else", await gateway.verify(text))  # type: ignore[arg-type]
            trail.note("report", await gateway.report(key, [{"keyId": key, "at": key, "status": 200}]))
            for headers in ({"x-api-key": key}, {"x-api-key": key, "authorization": f"Bearer {other}"}, {"authorization": key}):
                answer = await gateway.send(
                    "GET", "/v1/forward-auth?permission=pdf.read", b"", {"x-gateway-token": token} | headers
                )
                trail.note("forward", answer)
                trail.note("self", await gateway.send("GET", "/v1/self", b"", headers))
            for path in (f"/v1/forward-auth?api_key={key}", f"/v1/forward-auth?{key}=1", f"/v1/{key}", f"/v1/verify?key={key}"):
                trail.note("forward badly", await gateway.send("GET", path, b"", {"x-gateway-token": token}))
            for body in ({"reason": key}, {"note": key, "why": key}, {key: key}):
                trail.note("end badly", await gateway.post("/v1/self/revocation", body, token=key))
            trail.note("stranger", await gateway.send("POST", "/v1/verify", key.encode(), {"authorization": f"Bearer {key}"}))


async def _read_everything(trail: Trail, visitor: Visitor, node: Server, slug: str, ids: dict[str, str]) -> None:
    key, token = _of(trail, "key by program"), _of(trail, "management key")
    pages = await crawl(visitor, f"/w/{slug}/settings/api-keys?q={key}", "/graphql", "/password-reset", "/nowhere")
    assert {f"/w/{slug}", f"/w/{slug}/settings/api-keys", f"/w/{slug}/settings/api-keys/{ids['ApiKey']}"} <= set(pages)
    async with Program(node.port, token) as program:
        seen = set()
        for read in reads(slug, ids):
            answer = trail.note(f"read {read.type}", await program.post("/graphql", {"query": read.query}, token=token))
            seen |= {read.type} if answer.json().get("data") else set()
        assert {"ApiKey", "Workspace", "ManagementKey", "AuditEvent", "User", "PageInfo"} <= seen
        for query in (
            f'{{ node(id: "{key}") {{ id }} }}',
            f"{{ {key} }}",
            f"{{ {key}",
            f'query {key} {{ workspace(slug: "{key}") {{ id }} }}',
        ):
            trail.note("odd query", await program.post("/graphql", {"query": query}, token=token))
        search = {"query": operation("keys/list"), "variables": {"filter": {"search": key}}}
        assert key[:SHOWN] in trail.note("search", await program.post("/graphql", search, token=token)).body.decode()
        trail.note(
            "verify over GraphQL",
            await program.post("/graphql", {"query": operation("keys/verify"), "variables": {"input": {"key": key}}}, token=token),
        )
        for wrong in (key, f"{token[:-1]}x"):
            trail.note("wrong token", await program.post("/graphql", {"query": "{ viewer { kind } }"}, token=wrong))


async def _provoke(trail: Trail, visitor: Visitor, node: Server, slug: str) -> None:
    """Provokes unexpected errors: impossible rows, and tables that disappear."""
    key, token = _of(trail, "key by form"), _of(trail, "management key")
    async with database.transaction():
        await database.fetch("UPDATE api_key SET allowed_ips = 'nowhere'")
    await _use(trail, node)
    await _rename("api_key", "api_key_gone")
    try:
        await _use(trail, node)
        for path in (f"/w/{slug}/settings/api-keys?q={key}", f"/w/{slug}", f"/w/{slug}/settings/api-keys/{key}"):
            await visitor.get(path)
        async with Program(node.port, token) as program:
            body = {"query": operation("keys/verify"), "variables": {"input": {"key": key}}}
            trail.note("GraphQL without tables", await program.post("/graphql", body, token=token))
    finally:
        await _rename("api_key_gone", "api_key")
    async with Wire(node.port) as wire:
        for raw in (f"GET /{key} HTTP/1.1\r\nHost: {key}\r\n\r\n", f"{key} / HTTP/1.1\r\nHost: x\r\n\r\n"):
            with contextlib.suppress(Unanswered):
                trail.note("raw", await wire.send_raw(raw.encode()))


async def _rename(table: str, name: str) -> None:
    async with database.transaction():
        await database.fetch(f"ALTER TABLE {table} RENAME TO {name}")


def _places(node: Server, settings: Settings, request: pytest.FixtureRequest) -> dict[str, bytes]:
    """The contents of every file that the run has written."""
    log = node.log.read_text()
    # The console shows the set-up link once, as intended.
    lines = [line for line in log.splitlines() if not line.startswith("Nobody owns a workspace yet.")]
    found = {"log": "\n".join(lines).encode(), "journal": settings.journal_path.read_bytes()}
    if settings.sqlite_path:
        return found | {path.name: _read_apart(path) for path in settings.sqlite_path.parent.iterdir() if path.is_file()}
    return found | _dumped(request.getfixturevalue("postgres"), settings.database_url)


def _read_apart(path: Path) -> bytes:
    """Reads a file in a separate process, because closing an SQLite file would release all of this process's locks on it."""
    return subprocess.run(["cat", path], check=True, capture_output=True).stdout


def _dumped(server: Postgres, url: str) -> dict[str, bytes]:
    """All tables as text and, if the server is ours, its files: pages and the write-ahead log."""
    assert KIND == "postgres"
    if server.handle is None:
        return {}
    folder = Path(server.handle.pgdata)
    subprocess.run([server.handle.bin_path / "psql", url, "-qc", "CHECKPOINT"], check=True)
    files = [path for part in ("base", "pg_wal", "pg_xact") for path in (folder / part).rglob("*") if path.is_file()]
    return {str(path): path.read_bytes() for path in files} | {"server's log": (folder / "log").read_bytes()}
