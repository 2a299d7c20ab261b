"""The short cuts of the hot path give what the long way gives."""

from __future__ import annotations

import ipaddress
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from app import ids
from app.peppers.pepper import Pepper, Peppers
from app.verification.asgi import new_request_id
from app.verification.digest import digesters
from app.verification.requests import query_of
from app.verification.verify import is_allowed, parse_address

addresses = st.ip_addresses().map(str) | st.from_regex(r"[0-9a-fA-F:.%/ ]{0,20}", fullmatch=True) | st.text(max_size=12)


@settings(max_examples=500)
@given(st.binary(min_size=1, max_size=200), st.text(st.characters(exclude_categories=()), max_size=100))
def test_half_done_digests_are_the_peppers_own(pepper: bytes, secret: str) -> None:
    peppers = Peppers(Pepper(2, pepper), Pepper(1, b"before" + pepper))
    assert tuple(digester.digest(secret) for digester in digesters(peppers)) == peppers.digests(secret)


@settings(max_examples=1_000)
@given(addresses)
def test_an_address_is_written_in_the_one_way_the_library_writes_it(text: str) -> None:
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


def test_request_ids_are_ids_and_never_the_same() -> None:
    made = [new_request_id() for _ in range(5_000)]
    assert len(set(made)) == 5_000
    assert all(ids.is_a(ids.REQUEST, one) for one in made)
    assert {letter for one in made for letter in re.sub("^req_", "", one)} == set(ids.ALPHABET)


def test_a_query_means_the_same_the_second_time_and_however_long_it_is() -> None:
    for raw in (b"permission=pdf.read&environment=production", b"permission=pdf%2Eread&environment=production" + b"&" * 300):
        for _ in range(2):
            assert query_of({"query_string": raw}) == ("pdf.read", "production")
    assert query_of({"query_string": b""}) == (None, None)
