"""Requests that try to be expensive or to learn something: each is refused briefly, without repeating its input."""

from __future__ import annotations

import json
import logging
import re
from dataclasses import dataclass, field
from typing import Any

import pytest
from graphql import get_introspection_query

from app.api.execution.http import RESPONSE
from app.api.server import endpoint
from tests.support.graphql import Client

LONG, SECRET = "x" * 60_000, "hunter2"
INTROSPECTION = get_introspection_query()
CREATE = "mutation($i: CreateApiKeyInput!) { createApiKey(input: $i) { __typename } }"
PAGE = "query($n: Int) { workspace { apiKeys(first: $n) { totalCount } } }"
FILTERED = "query($s: [ApiKeyStatus!]) { workspace { apiKeys(filter: {status: $s}) { totalCount } } }"
USAGE = "query($d: DateTime) { workspace { usage(since: $d) { totalRequests } } }"
GOOD = {"name": "n", "environment": "production", "permissions": ["pdf.read"]}


@dataclass(frozen=True)
class Attack:
    """A document with variables, the code with which it is refused, and the expected message."""

    query: str
    variables: dict[str, Any] = field(default_factory=dict)
    code: str = "BAD_USER_INPUT"
    says: str = ""


def aliased(count: int, selection: str) -> str:
    return "{" + " ".join(f"a{number}: {selection}" for number in range(count)) + "}"


def introspected(times: int) -> str:
    """The usual introspection query repeated by alias."""
    start = INTROSPECTION.index("{") + 1
    end = INTROSPECTION.index("fragment FullType")
    selection = INTROSPECTION[start:end].strip().removesuffix("}")
    return aliased(times, selection) + INTROSPECTION[end:]


ATTACKS = {
    "aliases": Attack(aliased(16, "viewer { kind }"), code="LIMIT_EXCEEDED"),
    "aliases within a type": Attack("{ viewer " + aliased(400, "kind") + "}", code="LIMIT_EXCEEDED"),
    "equal root fields": Attack("{" + "viewer { kind }" * 490 + "}", code="LIMIT_EXCEEDED"),
    "equal fields": Attack("{ viewer {" + "kind " * 1_900 + "} }", code="LIMIT_EXCEEDED"),
    "circular fragments": Attack("{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }"),
    "many definitions": Attack(" ".join(f"query q{n} {{ viewer {{ kind }} }}" for n in range(61)), code="LIMIT_EXCEEDED"),
    "directives": Attack("{ viewer { kind " + "@a " * 390 + "} }", code="LIMIT_EXCEEDED"),
    "levels": Attack("{a" * 600 + "}" * 600, code="GRAPHQL_PARSE_FAILED", says="nested too deeply"),
    "tokens": Attack("{ viewer {" + "kind " * 10_000 + "} }", code="GRAPHQL_PARSE_FAILED"),
    "introspection ten times": Attack(introspected(10), code="LIMIT_EXCEEDED"),
    "introspection in circles": Attack(
        "{ __schema { types { fields { type { fields { type { fields { name } } } } } } } }"
    ),
    "a long field": Attack(f"{{ {LONG} }}", code="LIMIT_EXCEEDED", says="Characters of a name: 60,000, at most 200."),
    "a long alias": Attack(f"{{ {LONG}: viewer {{ kind }} }}", code="LIMIT_EXCEEDED"),
    "a long alias in a path": Attack(f"{{ workspace {{ {LONG}: apiKeys(first: 0) {{ totalCount }} }} }}", code="LIMIT_EXCEEDED"),
    "a long type": Attack(f"query($a: {LONG}) {{ viewer {{ kind }} }}", code="LIMIT_EXCEEDED"),
    "a long variable": Attack(f"query(${LONG}: Int) {{ viewer {{ kind }} }}", code="LIMIT_EXCEEDED"),
    "a long argument": Attack(f"{{ workspace({LONG}: 1) {{ id }} }}", code="LIMIT_EXCEEDED"),
    "equal arguments": Attack("{ workspace(" + 'slug: "a" ' * 400 + ") { id } }"),
    "a number": Attack(f"{{ workspace {{ apiKeys(first: {'9' * 5_000}) {{ totalCount }} }} }}", code="LIMIT_EXCEEDED"),
    "a string where none is": Attack(f'{{ viewer {{ kind "{SECRET}" }} }}', code="GRAPHQL_PARSE_FAILED", says="found String."),
    "a block string where none is": Attack(f'{{ viewer {{ kind """{SECRET}""" }} }}', code="GRAPHQL_PARSE_FAILED"),
    "a string before all": Attack(f'"{SECRET}" {{ viewer {{ kind }} }}', code="GRAPHQL_PARSE_FAILED"),
    "a list of 1,000": Attack(FILTERED, {"s": ["ACTIVE"] * 1_000}, "LIMIT_EXCEEDED"),
    "a literal list of 1,000": Attack(
        f"{{ workspace {{ apiKeys(filter: {{status: [{'ACTIVE ' * 1_000}]}}) {{ totalCount }} }} }}", code="LIMIT_EXCEEDED"
    ),
    "an unknown field of an input": Attack(CREATE, {"i": GOOD | {"password": SECRET}}, says="unknown field 'password'"),
    "a long field of an input": Attack(CREATE, {"i": GOOD | {LONG: SECRET}}, says="unknown field 'xxx"),
    "an input of other things": Attack(CREATE, {"i": {"email": "a@example.org", "password": SECRET}}, says="'$i'"),
    "an object for a text": Attack(CREATE, {"i": GOOD | {"name": {"password": SECRET}}}, says="at .name: String cannot represent"),
    "null for what is needed": Attack(
        CREATE, {"i": GOOD | {"name": None}}, says="at .name: Expected value of non-null type 'String!' not to be null."
    ),
    "null in a list": Attack(FILTERED, {"s": [None]}, says="at [0]"),
    "true for a text": Attack(CREATE, {"i": GOOD | {"environment": True}}, says="at .environment"),
    "text for a number": Attack(PAGE, {"n": SECRET}, says="'$n'"),
    "true for a number": Attack(PAGE, {"n": True}, says="'$n'"),
    "a list for a number": Attack(PAGE, {"n": [SECRET]}, says="'$n'"),
    "too large a number": Attack(PAGE, {"n": 2**63}, says="'$n'"),
    "half a number": Attack(PAGE, {"n": 3.5}, says="'$n'"),
    "an unknown value of an enum": Attack(FILTERED, {"s": [SECRET]}, says="at [0]: This value does not exist in 'ApiKeyStatus'"),
    "a long value of an enum": Attack(FILTERED, {"s": [LONG]}, says="at [0]"),
    "a text for a time": Attack(USAGE, {"d": SECRET}, says="RFC 3339"),
    "an object for a time": Attack(USAGE, {"d": {"password": SECRET}}, says="RFC 3339"),
    "a literal text for a number": Attack(f'{{ workspace {{ apiKeys(first: "{SECRET}") {{ totalCount }} }} }}'),
    "a literal name for a text": Attack(f"{{ workspace(slug: {SECRET}) {{ id }} }}"),
    "a literal object": Attack(f'mutation {{ createApiKey(input: {{password: "{SECRET}"}}) {{ __typename }} }}'),
    "a literal null": Attack("{ workspace { usage(granularity: null) { totalRequests } } }", says="not to be null."),
}  # fmt: skip
# Python terms that must not appear in messages to GraphQL clients.
PYTHON = re.compile(r"None|True|False|\{'|\bNoneType\b|<class")


@pytest.mark.parametrize("name", ATTACKS)
async def test_it_is_refused_briefly_and_repeats_no_value(owner: Client, name: str, caplog: pytest.LogCaptureFixture) -> None:
    attack = ATTACKS[name]
    with caplog.at_level(logging.WARNING):
        answer = await owner.send(attack.query, attack.variables, accept=RESPONSE)
    errors, text = answer.json().get("errors", []), answer.text
    assert answer.status_code == 400 and "data" not in answer.json(), text[:500]
    assert {error["extensions"]["code"] for error in errors} == {attack.code}
    assert attack.says in " ".join(error["message"] for error in errors)
    assert len(answer.content) < 4_000 and SECRET not in text and not PYTHON.search(text), text[:500]
    assert caplog.records == []


async def test_a_refusal_during_execution_is_short_too(owner: Client) -> None:
    given = {"i": GOOD | {"permissions": [f"no{number}{'y' * 500}" for number in range(100)]}}
    query = CREATE.replace("__typename", "... on Problem { message } ... on ValidationFailed { fields { message } }")
    assert len((await owner.send(query, given)).content) < 6_000
    given = {"i": GOOD | {"environment": LONG}}
    assert len((await owner.send(query, given)).content) < 1_000


async def test_every_answer_has_its_own_request_id_and_unexpected_errors_contain_it(
    owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    hello = {"query": "{ viewer { kind } }"}
    answers = [
        await owner.request(json=hello),
        await owner.request(json={"query": "{"}),
        await owner.request(content=b"x"),
        await owner.request("PUT"),
        await Client().request(json=hello),
    ]
    assert len({answer.headers["x-request-id"] for answer in answers}) == len(answers)
    assert all(answer.headers["x-request-id"].startswith("req_") for answer in answers)

    async def boom(*args: object, **kwargs: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("app.keys.service.page", boom)
    answer = await owner.send("{ workspace { apiKeys { totalCount } } }")
    assert answer.json()["errors"][0]["extensions"]["requestId"] == answer.headers["x-request-id"]


async def test_421_is_json_like_every_other_refusal() -> None:
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await endpoint.refuse_host(send)
    headers = dict(sent[0]["headers"])
    assert (sent[0]["status"], headers[b"content-type"]) == (421, b"application/json; charset=utf-8")
    assert headers[b"x-request-id"] and json.loads(sent[1]["body"])["errors"][0]["extensions"] == {"code": "MISDIRECTED_REQUEST"}
