"""GraphQL over HTTP: status, headers and body of the answer to any request."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from app import database
from app.api.execution.http import LEGACY, MAXIMUM_BODY, RESPONSE, media_type
from app.errors import NotAllowed, Unavailable
from app.keys import secret
from app.management_keys import service as management_keys
from app.paging import Window
from tests.api.conftest import program
from tests.conftest import GATEWAY_TOKEN, Team, make_key
from tests.support.access import seen
from tests.support.graphql import Client

HELLO = {"query": "{viewer{kind}}"}
NOBODY = Client()


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", LEGACY),
        ("*/*", LEGACY),
        ("application/json", LEGACY),
        ("text/html", LEGACY),
        ("application/*", LEGACY),
        (RESPONSE, RESPONSE),
        (f"{RESPONSE}; charset=utf-8, application/json; charset=utf-8", RESPONSE),
        (f"{RESPONSE};q=0.5, application/json;q=0.9", LEGACY),
        (f"{RESPONSE};q=0, application/json", LEGACY),
        (f"{RESPONSE};q=nonsense", LEGACY),
        (f"{RESPONSE}, */*;q=0.1", RESPONSE),
        ("APPLICATION/GRAPHQL-RESPONSE+JSON", RESPONSE),
    ],
)
def test_the_answer_has_the_media_type_that_was_requested(accept: str, kind: str) -> None:
    assert media_type(accept) == kind


@pytest.mark.parametrize("query", ["{", "{nothing}", "query($x:Int!){viewer{kind}}", "{viewer}", "subscription{x}"])
async def test_a_request_that_is_not_executed_has_no_data_and_is_400_under_the_newer_type(owner: Client, query: str) -> None:
    newer = await owner.send(query, accept=RESPONSE)
    assert (newer.status_code, newer.headers["content-type"]) == (400, f"{RESPONSE}; charset=utf-8")
    older = await owner.send(query)
    assert (older.status_code, older.headers["content-type"]) == (200, f"{LEGACY}; charset=utf-8")
    for answer in (newer, older):
        assert list(answer.json()) == ["errors"] and answer.json()["errors"][0]["message"]


async def test_variables_that_do_not_fit_are_refused_before_anything_runs(owner: Client) -> None:
    query = "query($slug:String!){workspace(slug:$slug){id}}"
    for variables in ({}, {"slug": None}, {"slug": 1}, {"slug": ["a"]}):
        answer = await owner.send(query, variables, accept=RESPONSE)
        assert answer.status_code == 400 and "data" not in answer.json()


async def test_an_executed_request_is_200_also_with_errors(owner: Client) -> None:
    answer = await owner.send("{viewer{kind} workspace{apiKeys(first:0){totalCount}}}", accept=RESPONSE)
    assert answer.status_code == 200
    assert answer.json()["data"] == {"viewer": {"kind": "USER"}, "workspace": {"apiKeys": None}}
    assert answer.json()["errors"][0]["path"] == ["workspace", "apiKeys"]


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/graphql",
        "application/json; charset=utf-16",
        "text/json",
        "application/jsonx",
        "application/xml, application/json",
    ],
)
async def test_only_json_is_accepted(owner: Client, content_type: str | None) -> None:
    headers = {"content-type": content_type} if content_type else {}
    answer = await owner.request(content=json.dumps(HELLO), headers=headers)
    assert answer.status_code == 415 and answer.headers["accept-post"] == LEGACY
    assert answer.json()["errors"][0]["extensions"]["code"] == "UNSUPPORTED_MEDIA_TYPE"


async def test_json_in_utf_8_is_accepted_in_every_spelling_of_the_content_type(owner: Client) -> None:
    for content_type in (
        "application/json",
        "Application/JSON",
        "application/json; charset=UTF-8",
        'application/json;charset="utf-8"',
    ):
        answer = await owner.request(content=json.dumps(HELLO), headers={"content-type": content_type})
        assert answer.json()["data"] == {"viewer": {"kind": "USER"}}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"1",
        b'"{viewer{kind}}"',
        b"[]",
        b'[{"query":"{viewer{kind}}"}]',
        b"{",
        b"{}",
        b'{"query":null}',
        b'{"query":1}',
        b'{"query":["{viewer{kind}}"]}',
        b'{"query":"{viewer{kind}}","variables":[]}',
        b'{"query":"{viewer{kind}}","variables":"{}"}',
        b'{"query":"{viewer{kind}}","operationName":1}',
        b'{"query":"{viewer{kind}}","extensions":"x"}',
        b'{"query":"\xff"}',
        b'{"query":"\\ud800"}',
        b'{"query":"{viewer{kind}}","variables":{"a":1e999}}',
        b'{"query":"{viewer{kind}}","variables":{"a":"\\u0000"}}',
        b'{"query":"{workspace(slug:\\"\\\\u0000\\"){id}}"}',
        b'{"query":"{workspace(slug:\\"\\\\u{000}\\"){id}}"}',
        b'{"query":"{workspace(slug:\\"\\\\u{000}\\"){id}}"}',
        b'{"query":"{workspace(slug:\\"\\\\u005cu0000\\"){id}}","variables":{"\\u0000":1}}',
        b'{"query":"{workspace(slug:\\"\\"\\"\\u0000\\"\\"\\"){id}}"}',
        b'{"query":"{workspace(slug:\\"\\u005cu0000\\"){id}}"}',
        b'{"query":"{viewer{kind}}","variables":{"a":[{"b":"\\u0000"}]}}',
        b'{"query":"{viewer{kind}}","variables":{"a":1},"query":"{viewer{kind}}"}',
        b'{"query":"{viewer{kind}}","variables":{"a":{"b":1,"b":1}}}',
        b'{"query":"{viewer{kind}}","variables":{"a":[' + b"1," * 100 + b"1]}}",
        b'{"query":"x","variables":' + b'{"a":' * 10_000 + b"1" + b"}" * 10_000 + b"}",
        b"[" * 20_000,
        b'{"query":"x","variables":' + b'{"a":' * 33 + b"1" + b"}" * 33 + b"}",
    ],
    ids=repr,
)
async def test_an_invalid_request_is_refused_in_json(owner: Client, body: bytes) -> None:
    for accept in (LEGACY, RESPONSE):
        answer = await owner.request(content=body, headers={"content-type": "application/json", "accept": accept})
        assert answer.status_code == 400
        assert list(answer.json()) == ["errors"] and answer.json()["errors"][0]["message"]


@pytest.mark.parametrize("query", ["query($s: String) {workspace(slug: $s) {id}}", r'{workspace(slug: "C:\\u0000") {id}}'])
async def test_a_backslash_before_u0000_is_no_nul(owner: Client, query: str) -> None:
    answer = await owner.send(query, {"s": r"C:\u0000"} if "$s" in query else {})
    assert answer.status_code == 200 and answer.json()["data"] == {"workspace": None}


async def test_a_refused_value_is_not_repeated(owner: Client) -> None:
    query = "mutation($input: CreateApiKeyInput!) {createApiKey(input: $input) {__typename}}"
    (error,) = (
        await owner.send(query, {"input": {"name": {"password": "hunter2"}, "environment": "x", "permissions": []}})
    ).json()["errors"]
    assert "hunter2" not in str(error) and "input" in error["message"]


async def test_a_refusal_is_short_however_long_the_request(owner: Client) -> None:
    for query in ("{" + "x" * 60_000 + "}", "{viewer{kind(" + "a:1," * 400 + ")}}"):
        answer = await owner.send(query)
        assert "errors" in answer.json() and len(answer.content) < 5_000


async def test_64_kib_are_read_and_one_byte_more_is_not(owner: Client) -> None:
    padding = MAXIMUM_BODY - len(json.dumps(HELLO | {"extensions": {"x": ""}}))
    json_type = {"content-type": "application/json"}
    for more, status in ((0, 200), (1, 413)):
        body = json.dumps(HELLO | {"extensions": {"x": "x" * (padding + more)}}).encode()
        assert len(body) == MAXIMUM_BODY + more
        assert (await owner.request(content=body, headers=json_type)).status_code == status

        async def chunks(body: bytes = body) -> Any:
            for start in range(0, len(body), 1000):
                yield body[start : start + 1000]

        assert (await owner.request(content=chunks(), headers=json_type)).status_code == status


async def test_only_post_executes_operations(owner: Client, team: Team) -> None:
    key = (await make_key(team)).key
    mutation = f'mutation{{suspendApiKey(input:{{id:"{key.id}"}}){{__typename}}}}'
    for method in ("GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"):
        answer = await owner.request(method, params={"query": mutation}, headers={"accept": LEGACY})
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST, GET")
    page = await owner.request("GET", params={"query": mutation}, headers={"accept": "text/html"})
    assert page.json() == {"page": True}
    assert (await owner.run("keys/show", id=key.id))["status"] == "ACTIVE"


async def test_the_named_operation_runs(owner: Client) -> None:
    query = "query A{viewer{kind}} query B{plans{name}}"

    async def answer(name: str | None) -> dict[str, Any]:
        return (await owner.request(json={"query": query, "operationName": name})).json()

    assert list((await answer("A"))["data"]) == ["viewer"] and list((await answer("B"))["data"]) == ["plans"]
    for unknown in ("C", "", None):
        assert list(await answer(unknown)) == ["errors"]


async def test_a_missing_and_every_bad_token_get_the_same_401(team: Team, owner: Client) -> None:
    made = await owner.change("keys/create", name="k", environment="production", permissions=["pdf.read"])
    program_key = await program(team.owner, team.slug, "keys.read", days=1)
    unknown = secret.generate("fl", "mgmt")
    expected = (await NOBODY.request(json=HELLO)).content
    bad = (unknown, made["secret"], GATEWAY_TOKEN, "", "x", unknown[:-1], "fl_mgmt_" + "é" * 38, " " * 100)
    for token in bad:
        for caller in (NOBODY, owner):
            answer = await caller.request(json=HELLO, headers={"authorization": f"Bearer {token}".encode()})
            assert (answer.status_code, answer.content) == (401, expected), token
            assert answer.headers["www-authenticate"] == 'Bearer realm="keydesk", error="invalid_token"'
    assert (await NOBODY.request(json=HELLO)).headers["www-authenticate"] == 'Bearer realm="keydesk"'
    assert (await program_key.request(json=HELLO)).status_code == 200


async def test_expired_and_revoked_management_keys_are_not_authenticated(team: Team) -> None:
    expired, revoked = [await program(team.owner, team.slug, "keys.read", days=1) for _ in range(2)]
    keys = (await management_keys.page(await seen(team.owner, team.slug), Window(9))).items
    await management_keys.revoke(team.owner, keys[0].id)
    assert (await revoked.request(json=HELLO)).status_code == 401
    assert (await expired.request(json=HELLO)).status_code == 200
    database.freeze(keys[1].expires_at)
    assert (await expired.request(json=HELLO)).status_code == 401


async def test_a_bearer_token_wins_over_the_session_and_other_schemes_are_refused(owner: Client, team: Team) -> None:
    both = Client(team.owner, token=(await program(team.owner, team.slug, "keys.read")).token)
    assert await both.ask("{viewer{kind}}") == {"viewer": {"kind": "MANAGEMENT_KEY"}}
    for header in ("Basic YTpi", f"Token {both.token}", f"{both.token}", "Bearer"):
        assert (await owner.request(json=HELLO, headers={"authorization": header})).status_code == 401
    lower = await NOBODY.request(json=HELLO, headers={"authorization": f"bearer {both.token}"})
    assert lower.status_code == 200


async def test_a_session_that_fails_the_csrf_check_is_403(owner: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(scope: object, *, touch: bool) -> None:
        raise NotAllowed("Another site may have made this request.")

    monkeypatch.setattr(owner.endpoint, "_session_actor", refuse)
    answer = await owner.request(json=HELLO)
    assert answer.status_code == 403 and answer.json()["errors"][0]["extensions"] == {"code": "NOT_ALLOWED"}


async def test_without_the_database_the_answer_is_503_with_retry_after(owner: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    async def gone(scope: object, *, touch: bool) -> None:
        raise Unavailable(internal="connection refused at db.internal")

    monkeypatch.setattr(owner.endpoint, "_session_actor", gone)
    answer = await owner.request(json=HELLO)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert "db.internal" not in answer.text


async def test_an_unexpected_failure_shows_only_a_request_id(
    owner: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def boom(*args: object, **kwargs: object) -> None:
        raise RuntimeError("dsn=postgresql://keydesk:hunter2@db")

    monkeypatch.setattr("app.keys.service.page", boom)
    with caplog.at_level(logging.DEBUG):
        answer = (await owner.send("{viewer{kind} workspace{slug apiKeys{totalCount}}}")).json()
    (error,) = answer["errors"]
    assert (error["message"], error["path"]) == ("internal error", ["workspace", "apiKeys"])
    assert error["extensions"]["code"] == "INTERNAL_ERROR" and error["extensions"]["requestId"].startswith("req_")
    assert answer["data"] == {"viewer": {"kind": "USER"}, "workspace": {"slug": "acme", "apiKeys": None}}
    (entry,) = [record for record in caplog.records if record.levelno >= logging.ERROR and record.name.startswith("keydesk")]
    assert error["extensions"]["requestId"] in entry.getMessage()
    monkeypatch.setattr(owner.endpoint.operations, "_documents", None)
    broken = await owner.request(json=HELLO)
    assert broken.status_code == 500 and broken.json()["errors"][0]["message"] == "internal error"


async def test_client_errors_have_clear_messages_and_are_not_logged(owner: Client, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="keydesk"):
        assert (await owner.refused("{"))[0]["message"].startswith("Syntax Error")
        assert (await owner.refused("{x}"))[0]["message"] == "Cannot query field 'x' on type 'Query'."
    assert [record for record in caplog.records if record.name.startswith("keydesk")] == []


async def test_no_answer_may_be_cached(owner: Client) -> None:
    for answer in (await owner.request(json=HELLO), await NOBODY.request(json=HELLO), await owner.request(content=b"x")):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"


HASH = {"persistedQuery": {"version": 1, "sha256Hash": "0" * 64}}


@pytest.mark.parametrize("query", [{}, {"query": None}, {"query": ""}])
@pytest.mark.parametrize("accept", [LEGACY, RESPONSE])
async def test_a_client_that_sends_a_hash_first_is_asked_to_send_the_query(
    owner: Client, query: dict[str, str | None], accept: str
) -> None:
    answer = await owner.request(json={**query, "extensions": HASH, "operationName": None}, headers={"accept": accept})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json; charset=utf-8")
    assert answer.json() == {
        "errors": [{"message": "PersistedQueryNotSupported", "extensions": {"code": "PERSISTED_QUERY_NOT_SUPPORTED"}}]
    }
    whole = await owner.request(json={"query": "{viewer{kind}}", "extensions": HASH})
    assert whole.json()["data"] == {"viewer": {"kind": "USER"}}


@pytest.mark.parametrize("body", [{}, {"query": None}, {"extensions": {}}, {"extensions": {"tracing": True}}])
async def test_a_body_without_a_query_is_refused(owner: Client, body: dict[str, object]) -> None:
    answer = await owner.request(json=body)
    assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (400, "BAD_REQUEST")


async def test_an_empty_operation_name_counts_as_absent(owner: Client) -> None:
    one = {"query": "query One { viewer { kind } }", "operationName": ""}
    assert (await owner.request(json=one)).json()["data"] == {"viewer": {"kind": "USER"}}
    two = {"query": "query One { viewer { kind } } query Two { viewer { kind } }", "operationName": ""}
    assert "Say which operation" in (await owner.request(json=two)).json()["errors"][0]["message"]


async def test_a_compressed_body_is_415(owner: Client) -> None:
    answer = await owner.request(content=b"\x1f\x8b", headers={"content-type": "application/json", "content-encoding": "gzip"})
    assert answer.status_code == 415 and "Content-Encoding" in answer.json()["errors"][0]["message"]
    plain = await owner.request(json={"query": "{ viewer { kind } }"}, headers={"content-encoding": "identity"})
    assert plain.status_code == 200
