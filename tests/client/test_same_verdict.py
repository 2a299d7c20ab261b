"""The same request gets the same verdict at `/v1/forward-auth` and at the client's middleware: one table, read by both."""

from __future__ import annotations

import pytest

from app.verification import requests
from app.verification.asgi import Refused
from keydesk_client.credential import BadCredential, find_key

ONE = "fl_live_" + "1" * 38
TWO = "fl_live_" + "2" * 38
JWT = "eyJhbGciOiJIUzI1NiJ9.e30.abc"
NONE, MANY = "no key", "two keys"

# Headers as they come, and the key that both judge, or what both refuse.
TABLE: list[tuple[list[tuple[str, str]], str]] = [
    ([], NONE),
    ([("x-api-key", ONE)], ONE),
    ([("x-api-key", f" {ONE} ")], ONE),
    ([("x-api-key", f"\t{ONE}\t")], ONE),
    ([("x-api-key", "")], NONE),
    ([("x-api-key", "   ")], NONE),
    ([("x-api-key", "\t")], NONE),
    ([("authorization", f"Bearer {ONE}")], ONE),
    ([("authorization", f"bearer {ONE}")], ONE),
    ([("authorization", f"BEARER  {ONE} ")], ONE),
    ([("authorization", "Bearer ")], NONE),
    ([("authorization", "Bearer")], NONE),
    ([("authorization", "")], NONE),
    ([("authorization", f"Basic {ONE}")], NONE),
    ([("authorization", ONE)], NONE),
    ([("x-api-key", ""), ("authorization", f"Bearer {ONE}")], ONE),
    ([("x-api-key", "  "), ("authorization", f"Bearer {ONE}")], ONE),
    ([("x-api-key", ONE), ("authorization", "Bearer ")], ONE),
    ([("x-api-key", ONE), ("authorization", "")], ONE),
    ([("x-api-key", ""), ("authorization", "")], NONE),
    ([("x-api-key", ONE), ("authorization", f"Bearer {JWT}")], ONE),
    ([("x-api-key", ONE), ("authorization", f"Bearer {ONE}")], ONE),
    ([("x-api-key", ONE), ("authorization", f"Bearer {TWO}")], MANY),
    ([("x-api-key", ONE), ("x-api-key", TWO)], MANY),
    ([("x-api-key", "not a key")], "not a key"),
    ([("authorization", f"Bearer {JWT}")], JWT),
    ([("x-api-key", f'"{ONE}"')], f'"{ONE}"'),
    ([("x-api-key", f"{ONE},{TWO}")], f"{ONE},{TWO}"),
]


@pytest.mark.parametrize(("headers", "expected"), TABLE)
def test_forward_auth_and_the_middleware_judge_alike(headers: list[tuple[str, str]], expected: str) -> None:
    scope = {"headers": [(name.encode(), value.encode()) for name, value in headers], "query_string": b""}
    try:
        by_server = requests.presented_key(requests.headers_of(scope)) or NONE
    except Refused as refusal:
        assert refusal.status == 400
        by_server = MANY
    try:
        by_client = find_key(scope) or NONE
    except BadCredential as refusal:
        assert refusal.status == 400
        by_client = MANY
    assert (by_server, by_client) == (expected, expected)
