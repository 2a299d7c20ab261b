"""For any input, the answer is small, correct and never a 5xx."""

from __future__ import annotations

import ipaddress
import itertools
import json
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.verification.requests import VerifyRequest
from tests.conftest import GATEWAY_TOKEN, Team, make_key
from tests.verification.conftest import Service, counters

hostile = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
FIELDS = ["key", "permission", "environment", "ip", "userAgent", "outcomeFollows"]
# Bytes allowed in a header value (RFC 9110 section 5.5); servers refuse all others before the application sees them.
values = st.binary(max_size=200).map(lambda raw: bytes(byte for byte in raw if byte >= 0x20 and byte != 0x7F))

networks = itertools.count(int(ipaddress.IPv4Address("10.0.0.0")))


async def raw(service: Service, scope: dict[str, Any], *parts: dict[str, Any]) -> tuple[int, dict[bytes, bytes], bytes]:
    """Sends one request without a library that would normalize it."""
    sent: list[dict[str, Any]] = []
    waiting = list(parts) or [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> dict[str, Any]:
        return waiting.pop(0) if waiting else {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await service.app({"type": "http", "method": "GET", "query_string": b"", "headers": []} | scope, receive, send)
    if not sent:
        return 0, {}, b""
    return sent[0]["status"], dict(sent[0]["headers"]), b"".join(part.get("body", b"") for part in sent[1:])


def is_proper(status: int, headers: dict[bytes, bytes], body: bytes) -> None:
    assert status in (200, 204, 400, 401, 403, 404, 405, 413), (status, body)
    assert len(body) <= 2_000
    assert headers[b"cache-control"] == b"no-store"
    for word in (b"Traceback", b"site-packages", b"SELECT", b"sqlite", b"asyncpg", GATEWAY_TOKEN.encode()):
        assert word not in body
    if status >= 400:
        problem = json.loads(body)
        assert (headers[b"content-type"], problem["status"]) == (b"application/problem+json", status)
        assert (status == 401) == (b"www-authenticate" in headers) or status in (400, 403)


@hostile
@given(body=st.binary(max_size=500))
async def test_any_bytes_as_a_body(service: Service, body: bytes) -> None:
    for path in ("/v1/verify", "/v1/usage"):
        response = await service.post(path, content=body)
        is_proper(response.status_code, dict(response.headers.raw), response.content)
        assert response.status_code != 204


@hostile
@given(body=anything)
async def test_any_json_as_a_body(service: Service, body: Any) -> None:
    for path in ("/v1/verify", "/v1/usage"):
        response = await service.post(path, content=json.dumps(body).encode("utf-8", "surrogatepass"))
        is_proper(response.status_code, dict(response.headers.raw), response.content)


@hostile
@given(changes=st.dictionaries(st.sampled_from(FIELDS), anything), key=st.text())
async def test_any_values_in_the_known_fields(service: Service, changes: dict[str, Any], key: str) -> None:
    response = await service.post("/v1/verify", content=json.dumps({"key": key} | changes).encode())
    is_proper(response.status_code, dict(response.headers.raw), response.content)
    given = {"key": key} | changes
    assert isinstance(given["key"], str) or response.status_code == 400
    if response.status_code == 200:
        assert response.json()["code"] in ("MALFORMED", "NOT_FOUND")


@hostile
@given(key=st.text(st.characters(exclude_categories=()), max_size=60))
async def test_any_string_as_a_key_is_a_200(service: Service, key: str) -> None:
    response = await service.post("/v1/verify", content=json.dumps({"key": key}).encode())
    lone_surrogate = any(0xD800 <= ord(character) <= 0xDFFF for character in json.loads(json.dumps(key)))
    assert response.status_code == (400 if lone_surrogate else 200)


@hostile
@given(query=st.binary(max_size=120), key=values, forwarded=st.lists(values, max_size=3), authorization=st.none() | values)
async def test_any_bytes_in_headers_and_query(
    service: Service, query: bytes, key: bytes, forwarded: list[bytes], authorization: bytes | None
) -> None:
    headers = [(b"x-gateway-token", GATEWAY_TOKEN.encode()), (b"x-api-key", key)]
    headers += [(b"x-forwarded-for", line) for line in forwarded]
    headers += [(b"authorization", authorization)] if authorization is not None else []
    is_proper(*await raw(service, {"path": "/v1/forward-auth", "query_string": query, "headers": headers}))
    is_proper(*await raw(service, {"path": "/v1/forward-auth", "query_string": b"", "headers": headers}))


@hostile
@given(query=st.binary(max_size=60), key=values, forwarded=st.lists(values, max_size=3), authorization=st.none() | values)
async def test_any_bytes_from_someone_without_a_gateway_token(
    service: Service, query: bytes, key: bytes, forwarded: list[bytes], authorization: bytes | None
) -> None:
    headers = [(b"x-api-key", key), *((b"x-forwarded-for", line) for line in forwarded)]
    headers += [(b"authorization", authorization)] if authorization is not None else []
    for own in (query, b""):
        peer = (str(ipaddress.IPv4Address(next(networks))), 50_000)  # no network asks too often
        status, answer, body = await raw(service, {"path": "/v1/self", "query_string": own, "headers": headers, "client": peer})
        assert status in (400, 401)
        is_proper(status, answer, body)


@hostile
@given(token=values, own=values)
async def test_any_bytes_as_a_gateway_token(service: Service, token: bytes, own: bytes) -> None:
    for headers in ([(b"authorization", b"Bearer " + token)], [(b"authorization", token)], [(b"x-gateway-token", token)]):
        for path, method in (("/v1/verify", "POST"), ("/v1/usage", "POST"), ("/v1/forward-auth", "GET")):
            status, answer, body = await raw(service, {"path": path, "method": method, "headers": [*headers, (b"x-api-key", own)]})
            is_proper(status, answer, body)
            assert status == 401


@hostile
@given(forwarded=st.lists(values, min_size=1, max_size=4))
async def test_no_forwarded_address_passes_an_allow_list_wrongly(service: Service, team: Team, forwarded: list[bytes]) -> None:
    if not hasattr(service, "listed"):
        service.listed = (await make_key(team, allowed_ips=("192.0.2.77",))).secret  # type: ignore[attr-defined]
    headers = [(b"x-gateway-token", GATEWAY_TOKEN.encode()), (b"x-api-key", service.listed.encode())]  # type: ignore[attr-defined]
    lines = [(b"x-forwarded-for", line) for line in forwarded]
    status, _, _ = await raw(service, {"path": "/v1/forward-auth", "headers": headers + lines})
    assert status == 403


async def test_a_client_that_disconnects_in_its_body_gets_no_answer_and_counts_nothing(service: Service, db: None) -> None:
    headers = [(b"authorization", f"Bearer {GATEWAY_TOKEN}".encode())]
    half = {"type": "http.request", "body": b'{"key": "', "more_body": True}
    assert await raw(service, {"path": "/v1/verify", "method": "POST", "headers": headers}, half) == (0, {}, b"")
    assert await counters() == {}


async def test_a_body_is_complete_in_any_chunks_and_with_its_announced_length(service: Service, db: None) -> None:
    body = b'{"key": "nonsense"}'
    authorization = (b"authorization", f"Bearer {GATEWAY_TOKEN}".encode())
    pieces = [{"type": "http.request", "body": body[at : at + 1], "more_body": True} for at in range(len(body))]
    end = {"type": "http.request", "body": b"", "more_body": False}
    for length, messages in (
        (b"%d" % len(body), pieces),
        (b"%d" % len(body), [*pieces, end]),
        (b"0" * 5_000, [*pieces, end]),
        (b"x", [*pieces, end]),
    ):
        scope = {"path": "/v1/verify", "method": "POST", "headers": [authorization, (b"content-length", length)]}
        status, _, answer = await raw(service, scope, *messages)
        assert (status, json.loads(answer)["code"]) == (200, "MALFORMED")


@pytest.mark.parametrize("target", ["/v1", "/v1/", "/v1//verify", "/v1/verify/x", "/v1/%00", "/v1/../graphql"])
async def test_any_other_path_is_not_found(service: Service, target: str) -> None:
    response = await service.post(target)
    assert response.status_code == 404
    assert isinstance(response, httpx.Response)


def test_the_request_has_exactly_the_fields_of_the_contract() -> None:
    assert list(VerifyRequest.__struct_encode_fields__) == FIELDS
