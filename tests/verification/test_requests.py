"""A mistake in a request is a 400 that counts nothing; it never passes, and is never a denial."""

from __future__ import annotations

import codecs
import gzip
import json
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import httpx
import pytest

from app import catalogue, runtime
from app.keys import service as keys
from app.keys.key import Reason
from app.keys.secret import KeyClass, generate
from tests.conftest import Team, make_key
from tests.support.statements import counted
from tests.verification.conftest import Service, change_key, counters, last_used

PROBLEM = {"type", "title", "status", "code", "detail", "instance"}


def problem(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Checks and returns the RFC 9457 body, which must be complete and small."""
    body: dict[str, Any] = response.json()
    assert (response.status_code, body["status"], body["code"]) == (status, status, code), response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["cache-control"] == "no-store"
    assert body.keys() >= PROBLEM
    assert body["type"] == f"urn:keydesk:problem:{code.lower().replace('_', '-')}"
    assert body["instance"].startswith("urn:keydesk:request:req_")
    assert len(response.content) <= 2_000
    assert status != 400 or response.headers["www-authenticate"] == 'Bearer realm="keydesk", error="invalid_request"'
    return body


@pytest.mark.parametrize(
    "changes",
    [
        {"permision": "pdf.read"},
        {"key": 7},
        {"key": None},
        {"key": ["fl_live"]},
        {"key": {}},
        {"permission": ["pdf.read"]},
        {"environment": 1},
        {"ip": "localhost"},
        {"ip": ""},
        {"ip": "203.0.113.9/32"},
        {"ip": "fe80::1%eth0"},
        {"ip": 3_405_803_785},
        {"userAgent": 5},
        {"outcomeFollows": "false"},
        {"outcomeFollows": None},
        {"outcome_follows": True},
    ],
)
async def test_a_body_that_violates_the_contract_is_refused_and_counts_nothing(
    service: Service, team: Team, changes: dict[str, Any]
) -> None:
    created = await make_key(team)
    body = {"key": created.secret, "permission": "pdf.read"} | changes
    refusal = problem(await service.post("/v1/verify", json=body), 400, "BAD_REQUEST")
    assert str(created.secret) not in json.dumps(refusal)
    assert await counters() == {}
    assert await last_used(created.key.id) == (None, None)


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b'"x"', b"{", b"{}", b'{"key": "\xff"}', b"\xef\xbb\xbf{}", b"[" * 20_000, b'{"key":' * 9_000]
)
async def test_invalid_json_is_refused(service: Service, body: bytes) -> None:
    problem(await service.post("/v1/verify", content=body), 400, "BAD_REQUEST")


@pytest.mark.parametrize("text", ["fl_live_" + "a" * 60_000, "\u0000" * 5_000, "\U0001f511" * 5_000])
async def test_a_refusal_neither_repeats_nor_grows_with_the_input(service: Service, text: str) -> None:
    refusal = problem(await service.post("/v1/verify", content=json.dumps({"key": "", text: 1})), 400, "BAD_REQUEST")
    assert text[:300] not in refusal["detail"]


@pytest.mark.parametrize(
    "more",
    [
        '"permission": "pdf.delete", "permission": "pdf.read"',
        '"permission": "pdf.read", "permission": null',
        '"permission": null, "permission": "pdf.read"',
        '"permission": "pdf.delete", "\\u0070ermission": "pdf.read"',
        '"permission" : "pdf.read" , "key" : "x"',
        '"outcomeFollows": true, "outcomeFollows": false',
        '"ip": "203.0.113.9", "environment": null, "ip": "203.0.113.10"',
        '"userAgent": "x", "userAgent": "\\""',
    ],
)
async def test_a_repeated_name_is_refused_and_counts_nothing(service: Service, team: Team, more: str) -> None:
    created = await make_key(team)
    body = f'{{"key": "{created.secret}", {more}}}'
    refusal = problem(await service.post("/v1/verify", content=body), 400, "REPEATED_NAME")
    assert str(created.secret) not in json.dumps(refusal)
    assert await counters() == {} and await last_used(created.key.id) == (None, None)


@pytest.mark.parametrize(
    "more",
    [
        '"permission": null, "environment": null, "ip": null, "userAgent": null, "outcomeFollows": false',
        '"userAgent": "permission\\", \\"permission\\": \\"x"',
        '"userAgent": "key", "permission": "pdf.read", "outcomeFollows": true',
        '"userAgent": "", "ip": "203.0.113.9"',
    ],
)
async def test_a_string_that_looks_like_a_name_is_not_a_name(service: Service, team: Team, more: str) -> None:
    created = await make_key(team)
    response = await service.post("/v1/verify", content=f'{{"key": "{created.secret}", {more}}}')
    assert (response.status_code, response.json()["code"]) == (200, "VALID")


async def test_a_secret_sent_as_a_field_name_is_not_repeated(service: Service, team: Team) -> None:
    created = await make_key(team)
    response = await service.post("/v1/verify", json={"key": "x", str(created.secret): 1})
    assert str(created.secret) not in response.text


async def test_unknown_names_are_refused_and_count_nothing(service: Service, team: Team) -> None:
    created = await make_key(team)
    for asked, code in (
        ({"permission": "pdf.genrate"}, "UNKNOWN_PERMISSION"),
        ({"permission": ""}, "UNKNOWN_PERMISSION"),
        ({"permission": "%"}, "UNKNOWN_PERMISSION"),
        ({"permission": "pdf_read"}, "UNKNOWN_PERMISSION"),
        ({"permission": "pdf.generate pdf.read"}, "UNKNOWN_PERMISSION"),
        ({"environment": "prod"}, "UNKNOWN_ENVIRONMENT"),
        ({"environment": ""}, "UNKNOWN_ENVIRONMENT"),
    ):
        problem(await service.post("/v1/verify", json={"key": created.secret} | asked), 400, code)
        (parameter,) = asked.items()
        query = "?" + str(httpx.QueryParams([parameter]))
        problem(await service.forward(("x-api-key", str(created.secret)), query=query), 400, code)
    assert await counters() == {}
    assert service.looked_up == []


async def test_query_parameters_are_refused_and_count_nothing(service: Service, team: Team) -> None:
    created = await make_key(team)
    key = ("x-api-key", str(created.secret))
    problem(await service.post("/v1/verify?permission=pdf.read", json={"key": created.secret}), 400, "UNKNOWN_PARAMETER")
    problem(await service.post("/v1/usage?dry=1", json={}), 400, "UNKNOWN_PARAMETER")
    for query, code in (
        ("?permision=pdf.read", "UNKNOWN_PARAMETER"),
        ("?Permission=pdf.read", "UNKNOWN_PARAMETER"),
        ("?permission=pdf.read&permission=pdf.generate", "REPEATED_PARAMETER"),
        ("?permission=pdf.read&permission=pdf.read", "REPEATED_PARAMETER"),
        ("?permission", "UNKNOWN_PERMISSION"),
        ("?outcomeFollows=yes", "BAD_REQUEST"),
        ("?outcomeFollows=", "BAD_REQUEST"),
        ("?outcomeFollows=true&outcomeFollows=true", "REPEATED_PARAMETER"),
        ("?outcomefollows=true", "UNKNOWN_PARAMETER"),
        ("?=pdf.read", "UNKNOWN_PARAMETER"),
        (f"?api_key={created.secret}", "KEY_IN_QUERY"),
        (f"?permission={created.secret}", "KEY_IN_QUERY"),
        (f"?{created.secret}", "KEY_IN_QUERY"),
    ):
        refusal = problem(await service.forward(key, query=query), 400, code)
        assert str(created.secret) not in json.dumps(refusal)
    assert await counters() == {}
    assert service.looked_up == []


async def test_a_key_in_the_query_is_an_invalid_request_by_rfc_6750(service: Service, team: Team) -> None:
    created = await make_key(team)
    response = await service.forward(query=f"?access_token={created.secret}")
    assert 'error="invalid_request"' in response.headers["www-authenticate"]
    assert "header" in response.json()["detail"]


async def test_any_string_is_a_200_and_a_malformed_key_is_never_looked_up(service: Service, team: Team) -> None:
    good = str((await make_key(team)).secret)
    for text in (
        " " + good,
        good + " ",
        good + "\n",
        good.upper(),
        good[:-1],
        good + "0",
        "\x00",
        "ключ",
        "🔑" * 1_000,
        "a" * 60_000,
    ):
        assert await service.code(text) == "MALFORMED"
    assert service.looked_up == []
    assert await counters() == {}


@pytest.mark.parametrize("kind", [KeyClass.MANAGEMENT, KeyClass.GATEWAY, KeyClass.LIVE, KeyClass.TEST])
async def test_a_well_formed_text_that_is_not_an_api_key_is_not_found(service: Service, team: Team, kind: KeyClass) -> None:
    assert await service.code(generate("fl", kind)) == "NOT_FOUND"
    assert await service.code(generate("xy", kind)) == "MALFORMED"
    assert await counters() == {}


async def test_a_compressed_body_is_415_and_a_byte_order_mark_is_ignored(service: Service) -> None:
    body = json.dumps({"key": "nonsense"}).encode()
    for path in ("/v1/verify", "/v1/usage"):
        answer = await service.post(path, content=gzip.compress(body), headers={"content-encoding": "gzip"})
        problem(answer, 415, "UNSUPPORTED_MEDIA_TYPE")
    assert (await service.post("/v1/verify", content=body, headers={"content-encoding": "identity"})).json()["code"] == "MALFORMED"
    assert (await service.post("/v1/verify", content=codecs.BOM_UTF8 + body)).json()["code"] == "MALFORMED"


async def test_a_body_over_its_limit_is_refused_announced_or_not(service: Service) -> None:
    large = b'{"key": "' + b"a" * 64 * 1024 + b'"}'

    async def streamed() -> Any:
        for start in range(0, len(large), 1_000):
            yield large[start : start + 1_000]

    problem(await service.post("/v1/verify", content=large), 413, "CONTENT_TOO_LARGE")
    problem(await service.post("/v1/verify", content=streamed()), 413, "CONTENT_TOO_LARGE")
    problem(await service.post("/v1/usage", content=b" " * (1024 * 1024 + 1)), 413, "CONTENT_TOO_LARGE")
    problem(await service.post("/v1/verify", content=b"{}", headers={"content-length": "9" * 30}), 413, "CONTENT_TOO_LARGE")
    assert (await service.post("/v1/verify", content=b'{"key": "' + b"a" * (64 * 1024 - 11) + b'"}')).status_code == 200


async def test_other_methods_and_paths_are_refused(service: Service) -> None:
    for method in ("GET", "PUT", "DELETE"):
        response = await service.request(method, "/v1/verify")
        problem(response, 405, "METHOD_NOT_ALLOWED")
        assert response.headers["allow"] == "POST"
    problem(await service.request("GET", "/v1/usage"), 405, "METHOD_NOT_ALLOWED")
    problem(await service.post("/v1/verify/"), 404, "NOT_FOUND")
    problem(await service.post("/v1/"), 404, "NOT_FOUND")


async def test_callers_without_a_token_do_not_learn_what_is_wrong_with_their_request(service: Service, team: Team) -> None:
    service.token = "another-token-of-thirty-two-characters-or-more"
    with counted() as statements:
        for body in (b"{", b'{"key": "", "permission": "gone.permission"}', b"a" * 70_000):
            problem(await service.post("/v1/verify", content=body), 401, "NOT_AUTHENTICATED")
        problem(await service.forward(query="?permission=gone.permission"), 401, "NOT_AUTHENTICATED")
        problem(await service.forward(query="?x=y"), 401, "NOT_AUTHENTICATED")
        problem(await service.forward(), 401, "NOT_AUTHENTICATED")
    assert statements == [], "no stranger makes the database search for names"
    assert service.looked_up == []


@pytest.fixture
def without_reading(db: None) -> None:
    """A catalogue without `pdf.read` and the environment `staging`."""
    full = catalogue.current()
    permissions = {name: one for name, one in full.permissions.items() if name != "pdf.read"}
    environments = {name: one for name, one in full.environments.items() if name != "staging"}
    runtime.put(replace(full, permissions=MappingProxyType(permissions), environments=MappingProxyType(environments)))


async def test_names_removed_from_the_catalogue_stay_known_while_a_key_has_them(
    service: Service, team: Team, without_reading: None
) -> None:
    created = await make_key(team, permissions=("pdf.generate",))
    await change_key(created.key.id, permissions="pdf.generate pdf.read", environment="staging")
    assert await service.code(created.secret, permission="pdf.read", environment="staging") == "VALID"
    other = await make_key(team, "Other", permissions=("pdf.generate",))
    assert await service.code(other.secret, permission="pdf.read") == "PERMISSION_DENIED"
    assert (await service.forward(("x-api-key", str(created.secret)), query="?permission=pdf.read")).status_code == 204
    await keys.revoke(team.owner, created.key.id, Reason.NO_LONGER_NEEDED)
    asked = {"key": other.secret, "permission": "pdf.read"}
    problem(await service.post("/v1/verify", json=asked), 400, "UNKNOWN_PERMISSION")
    problem(await service.post("/v1/verify", json={"key": "x", "environment": "staging"}), 400, "UNKNOWN_ENVIRONMENT")


async def test_older_key_prefixes_verify_while_they_are_accepted(service: Service, team: Team) -> None:
    with runtime.replaced(replace(catalogue.current(), key_prefix="new", accepted_prefixes=("fl",))):
        created = await make_key(team)
        assert str(created.secret).startswith("new_live_")
        assert await service.code(created.secret) == "VALID"
        assert await service.code(generate("fl", KeyClass.LIVE)) == "NOT_FOUND"
    assert await service.code(created.secret) == "MALFORMED"


@pytest.mark.parametrize("name", ["permission", "environment"])
async def test_a_name_that_is_too_long_for_the_database_is_an_unknown_one(service: Service, team: Team, name: str) -> None:
    created = await make_key(team)
    refused = await service.post("/v1/verify", json={"key": created.secret, name: "a" * 60_000})
    problem(refused, 400, f"UNKNOWN_{name.upper()}")
