"""Gateway tokens are checked with every request, before anything is looked up or revealed."""

from __future__ import annotations

import re

import httpx
import pytest

from app import catalogue
from app.access.actor import Actor
from app.gateway_tokens import service as gateway_tokens
from app.keys.secret import KeyClass, generate
from tests.conftest import GATEWAY_TOKEN, Team, make_key
from tests.verification.conftest import Service, counters, gateway_token, last_used
from tests.verification.test_requests import problem

CHALLENGE = 'Bearer realm="keydesk"'


@pytest.mark.parametrize("path", ["/v1/verify", "/v1/usage"])
async def test_no_token_or_another_scheme_is_a_401_without_an_error(service: Service, path: str) -> None:
    service.token = None
    for headers in ({}, {"authorization": "Basic YTpi"}, {"authorization": "Bearer "}, {"x-gateway-token": GATEWAY_TOKEN}):
        response = await service.post(path, json={"key": "x"}, headers=headers)
        problem(response, 401, "NOT_AUTHENTICATED")
        assert response.headers["www-authenticate"] == CHALLENGE


async def test_unknown_tokens_are_invalid_and_reveal_nothing_about_keys(service: Service, team: Team) -> None:
    created = await make_key(team)
    for token in ("x", "a" * 10_000, GATEWAY_TOKEN + " x", GATEWAY_TOKEN[:-1], generate("fl", KeyClass.GATEWAY), "ß" * 40):
        service.token = token.encode("utf-8").decode("latin-1")
        raw = [(b"authorization", b"Bearer " + token.encode())]
        response = await service.request("POST", "/v1/verify", json={"key": created.secret}, headers=raw)
        problem(response, 401, "NOT_AUTHENTICATED")
        assert response.headers["www-authenticate"] == CHALLENGE + ', error="invalid_token"'
    assert await counters() == {}
    assert await last_used(created.key.id) == (None, None)


async def test_forward_auth_reads_the_token_from_its_own_header_only(service: Service, team: Team) -> None:
    created = await make_key(team)
    service.token = None
    key = ("x-api-key", str(created.secret))
    problem(await service.forward(key, ("authorization", f"Bearer {GATEWAY_TOKEN}")), 401, "NOT_AUTHENTICATED")
    assert (await service.forward(key, ("x-gateway-token", GATEWAY_TOKEN))).status_code == 204


async def test_api_keys_and_management_keys_are_not_gateway_tokens(service: Service, team: Team) -> None:
    created = await make_key(team)
    service.token = created.secret
    problem(await service.post("/v1/verify", json={"key": created.secret}), 401, "NOT_AUTHENTICATED")


async def test_a_token_works_until_the_next_request_after_its_revocation(service: Service, team: Team) -> None:
    created = await make_key(team)
    service.token = await gateway_token()
    assert await service.code(created.secret) == "VALID"
    await gateway_tokens.revoke(Actor.operator(), "api")
    problem(await service.post("/v1/verify", json={"key": created.secret}), 401, "NOT_AUTHENTICATED")
    problem(await service.forward(("x-api-key", str(created.secret))), 401, "NOT_AUTHENTICATED")
    problem(await service.report("6f1c0a52-7d41-4b7e-9c2e-0d5a4e1f9b11"), 401, "NOT_AUTHENTICATED")
    assert await counters() == {(created.key.id, "", "VALID"): 1}


def without_ids(response: httpx.Response) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    body = re.sub(rb"req_[a-z0-9]{20}", b"req", response.content)
    return response.status_code, response.headers.raw, body


async def test_another_workspaces_key_answers_byte_for_byte_like_an_unknown_one_and_is_not_counted(
    service: Service, team: Team, other_team: Team
) -> None:
    theirs = await make_key(other_team)
    service.token = await gateway_token(workspace=team.slug)
    unknown = generate(catalogue.current().key_prefix, KeyClass.LIVE)
    for asked in ({}, {"permission": "pdf.delete"}, {"environment": "staging", "ip": "203.0.113.9"}):
        answers = [await service.post("/v1/verify", json={"key": key} | asked) for key in (theirs.secret, unknown)]
        assert without_ids(answers[0]) == without_ids(answers[1])
        assert answers[0].json()["code"] == "NOT_FOUND"
    forwarded = [await service.forward(("x-api-key", str(key))) for key in (theirs.secret, unknown)]
    assert without_ids(forwarded[0]) == without_ids(forwarded[1])
    assert await counters() == {}
    assert await last_used(theirs.key.id) == (None, None)


async def test_a_token_bound_to_a_workspace_accepts_its_keys(service: Service, team: Team) -> None:
    created = await make_key(team)
    service.token = await gateway_token(workspace=team.slug)
    assert await service.code(created.secret) == "VALID"


async def test_a_token_bound_to_an_environment_accepts_only_its_keys(service: Service, team: Team) -> None:
    live = await make_key(team, "Live")
    test = await make_key(team, "Test", environment="staging")
    service.token = await gateway_token(environment="staging")
    assert await service.code(test.secret) == "VALID"
    assert await service.code(live.secret) == "ENVIRONMENT_NOT_ALLOWED"
    assert await service.code(test.secret, environment="production") == "ENVIRONMENT_NOT_ALLOWED"
    assert await service.code(live.secret, environment="production") == "ENVIRONMENT_NOT_ALLOWED"
