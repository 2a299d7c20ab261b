"""Optimized parts of the hot path give the same results as the straightforward code."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app import ids
from app.keys.networks import is_allowed, parse_address
from app.peppers.pepper import Pepper, Peppers
from app.verification.digest import digesters
from app.verification.http import new_request_id
from app.verification.requests import query_of

addresses = st.ip_addresses().map(str) | st.from_regex(r"[0-9a-fA-F:.%/ ]{0,20}", fullmatch=True) | st.text(max_size=12)


@settings(max_examples=500, deadline=None)
@given(st.binary(min_size=1, max_size=200), st.text(st.characters(exclude_categories=()), max_size=100))
def test_precomputed_digests_equal_the_peppers_digests(pepper: bytes, secret: str) -> None:
    peppers = Peppers(Pepper(2, pepper), Pepper(1, b"before" + pepper))
    assert tuple(digester.digest(secret) for digester in digesters(peppers)) == peppers.digests(secret)


@settings(max_examples=1_000, deadline=None)
@given(addresses)
def test_an_address_is_formatted_as_the_library_does(text: str) -> None:
    try:
        slow = ipaddress.ip_address(text)
    except ValueError:
        slow = None
    try:
        fast = parse_address(text)
    except ValueError:
        assert slow is None or getattr(slow, "scope_id", None)
        return
    assert slow is not None
    assert fast == str(getattr(slow, "ipv4_mapped", None) or slow)
    assert parse_address(fast) == fast
    assert is_allowed(fast, (f"{fast}/{ipaddress.ip_address(fast).max_prefixlen}",))


def test_request_ids_are_valid_and_unique() -> None:
    made = [new_request_id() for _ in range(5_000)]
    assert len(set(made)) == 5_000
    assert all(ids.is_a(ids.REQUEST, one) for one in made)
    assert {letter for one in made for letter in one[11:]} == set(ids.ALPHABET)


def test_request_ids_sort_by_the_second_in_which_they_were_made(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    for seconds in (0, 1, 31, 32, 1_790_000_000, 1_790_000_001, 2**35 - 1):
        monkeypatch.setattr("app.verification.http.time.time", lambda seconds=seconds: seconds + 0.5)
        made.append(new_request_id())
    assert made == sorted(made)


def test_a_cached_query_string_is_parsed_the_same_at_any_length() -> None:
    for raw in (b"permission=pdf.read&environment=production", b"permission=pdf%2Eread&environment=production" + b"&" * 300):
        for _ in range(2):
            assert query_of({"query_string": raw}) == ("pdf.read", "production", False)
    assert query_of({"query_string": b""}) == (None, None, False)
