"""Arbitrary input to every endpoint gets a page or a problem with the reason, never a 500, and writes nothing partially."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLSchema,
    OperationDefinitionNode,
    build_schema,
    get_named_type,
    parse,
    type_from_ast,
)

from app import database
from app.audit import service as audit
from app.clock import DAY
from app.management_keys import service as management_keys
from app.management_keys.management_key import ManagementKeyInput
from app.paths import OPERATIONS
from app.webhooks import service as webhooks
from app.webhooks.validation import WebhookInput
from app.webhooks.webhook import Kind
from tests.conftest import make_key
from tests.faults.conftest import Desk, StartNodes, readiness
from tests.support.graphql import operation, operations
from tests.support.http import Answer, Gateway, Program, Unanswered, Wire
from tests.support.routes import filled, routes
from tests.support.users import PASSWORD
from tests.support.visitor import Visitor

pytestmark = pytest.mark.slow
# Values that no browser sends: a lone surrogate, NUL, invalid UTF-8, control and direction characters, very long text.
TEXTS = [
    "%ED%A0%80",
    "%00",
    "%FF%FE",
    "%0D%0A%1B%5B31m",
    "%E2%80%AE%F0%9F%98%80",
    "%25%7B%7B7*7%7D%7D",
    "",
    "-1",
    "x" * 20_000,
    "%zz",
]
FIELDS = ["name", "environment", "permissions", "expiresAt", "allowedIps", "once", "confirmed", "state", "reason", "note"]
FIELDS += ["role", "newRole", "email", "password", "newPassword", "confirmPassword", "workspace", "timezone", "next"]
FIELDS += ["deadline", "onDeadline", "days", "opens", "closes", "scopes", "lifetime", "description", "labels", "label", "owner"]
# Raw JSON.
VALUES = ["null", "true", "0", "-1", "1e999", "123456789012345678901234567890", '""', '"x"', '"\\ud800"', '"\\u0000"']
VALUES += ['"\\u202e\\n"', "[]", "[[[]]]", "{}", '{"a": 1}', json.dumps("x" * 30_000), "[" * 31 + "]" * 31]
NOT_HTTP = [b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/9.9\r\n\r\n", b"GET\r\n\r\n", b"\r\n\r\n\r\n\r\n"]
NOT_HTTP += [b"POST /v1/verify HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n"]
NO_QUERIES = [b"", b"{", b"[]", b"null", b"\xff", b'{"query": 1}', b'{"query": ""}', b"[" * 60_000, b"x" * 70_000]
NO_QUERIES += [b'{"query": "{' + b"a{" * 20_000 + b'"}']
# Some of it may be an incomplete request: the server waits for the rest, and so does the test, but not for long.
WAITED_SECONDS = 0.5
# Input that makes the server fail does so each time; a busy machine does not.
ATTEMPTS = 5
LEAVING = {"/sign-out", "/account/sessions/{session_id}/end"}


async def test_no_form_makes_a_page_fail(desk: Desk, nodes: StartNodes) -> None:
    (node,) = nodes(1)
    values = await _values(desk)
    async with Visitor(node.url) as visitor:
        await visitor.sign_in("ann@example.org", PASSWORD)
        for route in routes("POST"):
            for body in _forms(visitor.csrf) if route not in LEAVING else ():
                await _posted(visitor, filled(route, values), body)
        assert (await visitor.get("/account")).status_code == 200
    await _assert_whole(desk)


async def test_no_url_and_no_header_makes_a_page_fail(desk: Desk, nodes: StartNodes) -> None:
    (node,) = nodes(1)
    values = await _values(desk)
    async with Visitor(node.url) as visitor:
        await visitor.sign_in("ann@example.org", PASSWORD)
        for route in (each for each in routes("GET") if "events" not in each):
            for path in (*_queries(filled(route, values)), *_paths(route, values)):
                assert (await _page(partial(visitor.get, path))).status_code < 500, path
        for name, value in (("cookie", b"keydesk-session=\xff; =;;"), ("hx-target", b"div#\xff"), ("accept", b"\xff")):
            headers = {"hx-request": b"true", name: value}
            assert (await _page(partial(visitor.client.get, "/", headers=headers))).status_code < 500
        assert (await visitor.get("/account")).status_code == 200
    await _assert_whole(desk)


async def _values(desk: Desk) -> dict[str, str]:
    """Values for path parameters; parameters without an object here get the name of a plan."""
    key = (await make_key(desk.team)).key.id
    asked = WebhookInput("CI", Kind.STANDARD, "https://hooks.example.com")
    webhook = (await webhooks.create(desk.team.owner, desk.slug, asked)).webhook.id
    known = {"slug": desk.slug, "key_id": key, "user_id": desk.team.owner.id, "webhook_id": webhook}
    managing = ManagementKeyInput("CI", ("keys.read",), await database.now() + DAY)
    known["management_key_id"] = (await management_keys.create(desk.team.owner, desk.slug, managing))[0].id
    return (
        dict.fromkeys(
            ("item", "alert_id", "delivery_id", "token", "name", "invitation_id", "session_id", "rotation_id", "request_id"),
            "growth",
        )
        | known
    )


async def _posted(visitor: Visitor, path: str, body: bytes) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = await _page(lambda: visitor.client.post(path, content=body, headers=headers))
    assert answer.status_code < 500, (path, body[:200])
    if answer.status_code not in (200, 201, 303):
        assert answer.headers["content-type"].startswith("text/html"), (path, body[:200])
        assert "<title>" in answer.text


async def _page(request: Callable[[], Awaitable[httpx.Response]]) -> httpx.Response:
    """Repeats a 503, which a busy machine may answer for a moment, a few times."""
    for _ in range(ATTEMPTS):
        if (answer := await request()).status_code != 503:
            break
        await asyncio.sleep(1)
    return answer


async def _decided(send: Callable[[], Awaitable[Answer]]) -> Answer:
    """The same for programs."""
    for _ in range(ATTEMPTS):
        if (answer := await send()).status != 503:
            break
        await asyncio.sleep(1)
    return answer


def _forms(csrf: str) -> Iterator[bytes]:
    start = f"csrf={csrf}"
    for text in TEXTS:
        yield (start + "".join(f"&{name}={text[: 40_000 // len(FIELDS)]}" for name in FIELDS)).encode()
    yield (start + "&name=x" * 600).encode()
    yield (start + "&name=" + "x" * 100_000).encode()
    yield from (b"", b"csrf", b"&&&===", b"\xff\xfe", b'{"csrf": 1}', b"[" * 5_000, f"csrf={csrf}&csrf=".encode())


def _queries(path: str) -> Iterator[str]:
    names = ("q", "status", "environment", "permission", "sort", "after", "before", "next", "page", "days")
    for text in TEXTS:
        yield path + "?" + "&".join(f"{name}={text[:500]}" for name in names)
    yield from (
        f"{path}?{'&'.join(['q=x'] * 1_000)}",
        f"{path}?after=key_aaaaaaaaaaaaaaaaaaaa",
        f"{path}?=&&;",
        f"{path}?{'%00' * 50}",
    )


def _paths(route: str, values: dict[str, str]) -> Iterator[str]:
    for name in values:
        if f"{{{name}}}" in route:
            for text in ("%00", "%ED%A0%80", "%FF", "..%2F..", "%2e%2e", "x" * 3_000, quote("ключ"), "%0d%0aset-cookie:%20a=b"):
                yield filled(route, values | {name: text})


async def test_no_variable_makes_graphql_fail(desk: Desk, nodes: StartNodes) -> None:
    (node,) = nodes(1)
    made = await make_key(desk.team)
    schema = build_schema((OPERATIONS.parent / "schema.graphql").read_text(encoding="utf-8"))
    async with Program(node.port, desk.program) as program:
        for name in operations():
            for variables in _variables(schema, operation(name), desk.slug, made.key.id):
                body = f'{{"query": {json.dumps(operation(name))}, "variables": {variables}}}'.encode()
                answer = await _within_rate(program, body)
                assert answer.status in (200, 400, 406, 413), (name, variables[:200], answer.body[:300])
                codes = {error["extensions"]["code"] for error in answer.json().get("errors", [])}
                assert "INTERNAL_ERROR" not in codes, (name, variables[:200])
        for body in NO_QUERIES:
            answer = await program.post("/graphql", body, token=program.token)
            assert answer.status in (200, 400, 413), body[:40]
            assert answer.json().keys() == {"errors"}
    await _assert_whole(desk)


async def _within_rate(program: Program, body: bytes) -> Answer:
    """The answer, asked again when the points of the caller have been regained."""
    while (answer := await program.post("/graphql", body, token=program.token)).status == 429:
        await asyncio.sleep(int(answer.header("retry-after") or 1))
    return answer


def _variables(schema: GraphQLSchema, text: str, slug: str, key: str) -> Iterator[str]:
    """JSON variables: each variable and each field of an input in turn replaced by each value."""
    (definition,) = [each for each in parse(text).definitions if isinstance(each, OperationDefinitionNode)]
    kinds = {each.variable.name.value: type_from_ast(schema, each.type) for each in definition.variable_definitions or ()}
    usual: dict[str, Any] = {name: _usual(kind, name, slug, key) for name, kind in kinds.items()}
    for place in [path for name, kind in kinds.items() for path in _places(kind, (name,))]:
        for value in VALUES:
            yield _replaced(usual, place, value)


def _usual(kind: Any, name: str, slug: str, key: str) -> Any:
    if isinstance(kind, GraphQLNonNull):
        return _usual(kind.of_type, name, slug, key)
    if isinstance(kind, GraphQLList):
        return [_usual(kind.of_type, name, slug, key)]
    if isinstance(kind, GraphQLEnumType):
        return next(iter(kind.values))
    if isinstance(kind, GraphQLInputObjectType):
        return {each: _usual(field.type, each, slug, key) for each, field in kind.fields.items()}
    known = {
        "workspace": slug,
        "environment": "production",
        "permissions": "pdf.read",
        "expiresAt": "2027-01-01T00:00:00Z",
        "key": key,
    }
    return {"ID": key, "Int": 1, "Boolean": True, "DateTime": "2027-01-01T00:00:00Z"}.get(kind.name, known.get(name, "x"))


def _places(kind: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    yield path
    named = get_named_type(kind)
    if isinstance(named, GraphQLInputObjectType) and len(path) < 4:
        for name, field in named.fields.items():
            yield from _places(field.type, (*path, name))


_HERE = "placeholder for another value"


def _replaced(usual: dict[str, Any], place: tuple[str, ...], value: str) -> str:
    changed = json.loads(json.dumps(usual))
    inner = changed
    for name in place[:-1]:
        inner = inner[name][0] if isinstance(inner[name], list) else inner[name]
    inner[place[-1]] = _HERE
    return json.dumps(changed).replace(json.dumps(_HERE), value)


async def test_no_request_makes_verification_fail(desk: Desk, nodes: StartNodes) -> None:
    (node,) = nodes(1)
    made = await make_key(desk.team)
    usual = {
        "key": made.secret,
        "permission": "pdf.read",
        "environment": "production",
        "ip": "203.0.113.9",
        "userAgent": "x",
        "outcomeFollows": True,
    }
    event = {
        "keyId": made.key.id,
        "at": "2026-01-01T00:00:00Z",
        "status": 200,
        "permission": "pdf.read",
        "ip": "::1",
        "userAgent": "x",
    }
    report = {"batchId": "6f2c1f0a-5b0f-4d1e-9c3f-0d6a6f1f8b11", "events": [event]}
    async with Gateway(node.port, desk.gateway) as gateway:
        for path, body in (("/v1/verify", usual), ("/v1/usage", report)):
            for place in [(name,) for name in body] + ([("events", name) for name in event] if path == "/v1/usage" else []):
                for value in VALUES:
                    raw = _replaced(body, place, value).encode()
                    _assert_clear_answer(await _decided(partial(gateway.post, path, raw, token=gateway.token)))
            for raw in (
                b"",
                b"{",
                b"null",
                b"\xff",
                b"[" * 20_000,
                b'{"key": ' * 5_000,
                b"x" * 70_000,
                b'{"key": "a", "key": "b"}',
            ):
                _assert_clear_answer(await _decided(partial(gateway.post, path, raw, token=gateway.token)))
        secret = (await make_key(desk.team, "Found")).secret
        for raw in (b"{", b"null", b"\xff", b"[" * 9_000, b"x" * 70_000, *(b'{"note": %s}' % value.encode() for value in VALUES)):
            _assert_clear_answer(await _decided(partial(gateway.post, "/v1/self/revocation", raw, token=secret)))
        for name in ("x-api-key", "x-forwarded-for", "authorization", "x-gateway-token", "content-length"):
            for text in ("\udcff", "x" * 5_000, ",,,", "::1%eth0", "Bearer", "999.1.1.1", '"'):
                headers = {"x-gateway-token": gateway.token, "x-api-key": made.secret or ""} | {name: text}
                try:
                    asked = partial(gateway.send, "GET", "/v1/forward-auth?permission=pdf.read", b"", headers)
                    _assert_clear_answer(await _decided(asked))
                    own = partial(gateway.send, "GET", "/v1/self", b"", headers)
                    _assert_clear_answer(await _decided(own))
                except Unanswered:
                    await gateway.close()  # not HTTP: the server closes the connection
    await _assert_lives(node.port)
    await _assert_whole(desk)


def _assert_clear_answer(answer: Answer) -> None:
    assert answer.status < 500, answer.body
    assert len(answer.body) < 4_000
    if answer.status >= 400 and answer.body:
        told = answer.json()
        assert answer.header("content-type") == "application/problem+json"
        assert told["status"] == answer.status
        assert {"type", "title", "code", "detail", "instance"} <= told.keys()


async def test_a_connection_that_does_not_speak_http_is_closed_and_affects_no_other(desk: Desk, nodes: StartNodes) -> None:
    (node,) = nodes(1)
    for raw in NOT_HTTP:
        async with Wire(node.port) as wire:
            with contextlib.suppress(Unanswered, TimeoutError):
                async with asyncio.timeout(WAITED_SECONDS):
                    assert (await wire.send_raw(raw)).status in (400, 404, 405, 411, 413, 414, 421, 431, 501, 505)
    await _assert_lives(node.port)


async def _assert_lives(port: int) -> None:
    async with Wire(port) as wire:
        assert (await wire.send("GET", "/livez")).status == 200
        assert (await readiness(wire)).status == 200


async def _assert_whole(desk: Desk) -> None:
    """Checks that every key and every revocation has exactly one audit entry, and that the chains are sound."""
    rows = await database.fetch("SELECT action, target FROM audit_entry WHERE chain = {}", desk.workspace)
    told = [(row["action"], row["target"]) for row in rows]
    keys = await database.fetch("SELECT id, revoked_at FROM api_key WHERE workspace = {}", desk.workspace)
    assert sorted(target for action, target in told if action == "key.created") == sorted(row["id"] for row in keys)
    revoked = [row["id"] for row in keys if row["revoked_at"] is not None]
    assert sorted(target for action, target in told if action == "key.revoked") == sorted(revoked)
    assert await audit.first_broken(desk.workspace) is None
    assert await audit.first_broken("system") is None
