"""`/v1/forward-auth` and the client's middleware give the same verdict on the same request: one table of cases for both,
and random headers made of their parts."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.keys.secret import PATTERN
from app.verification import requests
from app.verification.http import Refused
from keydesk_client.credential import BadCredential, find_key

ONE = "fl_live_" + "1" * 38
TWO = "fl_live_" + "2" * 38
JWT = "eyJhbGciOiJIUzI1NiJ9.e30.abc"
NONE, MANY, BAD = "no key", "two keys", "not a key"

# Headers as they arrive, and the key that both verify, or the code with which both refuse.
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
    ([("x-api-key", ONE), ("x-api-key", ONE)], MANY),
    ([("x-api-key", ONE), ("x-api-key", "")], MANY),
    ([("authorization", f"Bearer {ONE}"), ("authorization", "Basic YTpi")], MANY),
    ([("x-api-key", ONE), ("authorization", "Basic YTpi"), ("authorization", "Basic YTpi")], MANY),
    ([("authorization", f"Bearer \t{ONE}\t")], ONE),
    ([("authorization", f"Bearer\t{ONE}")], NONE),
    ([("authorization", f"Bearer \x0b{ONE}")], BAD),
    ([("authorization", f"Bearer {ONE}\xa0")], BAD),
    ([("x-api-key", f"{ONE}\xa0")], BAD),
    ([("x-api-key", "x" * 300)], BAD),
    ([("x-api-key", "not a key")], BAD),
    ([("authorization", f"Bearer {JWT}")], BAD),
    ([("x-api-key", f'"{ONE}"')], BAD),
    ([("x-api-key", f"{ONE},{TWO}")], BAD),
]


white = st.text(st.sampled_from(" \t\x0b\x0c\xa0\x85\u2003"), max_size=2)
texts = st.builds("".join, st.tuples(white, st.sampled_from(["", ONE, TWO, JWT, f"{ONE},{TWO}", "x" * 300]), white))
credentials = st.builds("".join, st.tuples(white, st.sampled_from(["Bearer", "bearer", "Basic", ""]), white, texts))
headers_sent = st.lists(st.tuples(st.just("x-api-key"), texts) | st.tuples(st.just("authorization"), credentials), max_size=4)


@pytest.mark.parametrize(("headers", "expected"), TABLE)
def test_forward_auth_and_the_middleware_give_the_same_verdict(headers: list[tuple[str, str]], expected: str) -> None:
    assert (by_server(scope_of(headers)), by_client(scope_of(headers))) == (expected, expected)


@settings(max_examples=500, deadline=None)
@given(headers_sent)
def test_they_agree_on_all_headers(headers: list[tuple[str, str]]) -> None:
    assert by_server(scope_of(headers)) == by_client(scope_of(headers))


def scope_of(headers: list[tuple[str, str]]) -> dict[str, Any]:
    return {"headers": [(name.encode(), value.encode()) for name, value in headers], "query_string": b""}


def by_server(scope: dict[str, Any]) -> str:
    try:
        return named(requests.presented_key(requests.headers_of(scope)))
    except Refused as refusal:
        assert refusal.status == 400
        return MANY


def by_client(scope: dict[str, Any]) -> str:
    try:
        return named(find_key(scope))
    except BadCredential as refusal:
        assert refusal.status == 400 or (refusal.status, refusal.code) == (401, "MALFORMED")
        return BAD if refusal.status == 401 else MANY


def named(text: str | None) -> str:
    """The code of the text at Keydesk, which the middleware asks about every text up to its maximum length."""
    if text is None:
        return NONE
    return text if PATTERN.fullmatch(text) else BAD
