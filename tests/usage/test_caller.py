"""The identity of a caller: a network and a family of programs, the same on every node."""

from __future__ import annotations

import pytest

from app import ids
from app.keys.secret import generate
from app.usage.caller import CALLER_ID, FOLDED, LONGEST_FAMILY, Caller, caller_id, family_of, network_of

KEY = "key_" + "a" * 20


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.9", "203.0.113.0/24"),
        ("203.0.113.255", "203.0.113.0/24"),
        ("203.0.114.0", "203.0.114.0/24"),
        ("2001:db8:1:2:3::4", "2001:db8:1::/48"),
        ("2001:DB8:1:ffff::", "2001:db8:1::/48"),
        ("::ffff:203.0.113.9", "203.0.113.0/24"),
        ("::1", "::/48"),
        (None, ""),
        ("", ""),
        ("nonsense", ""),
        ("1" * 10_000, ""),
    ],
)
def test_a_network_is_a_24_or_a_48(address: str | None, network: str) -> None:
    assert network_of(address) == network


@pytest.mark.parametrize(
    ("user_agent", "family"),
    [
        ("python-requests/2.31.0", "python-requests"),
        ("curl/8.4.0", "curl"),
        ("curl 8.4.0", "curl"),
        ("Faraday v2.7.4", "Faraday"),
        ("Acme Billing Service 2.0", "Acme Billing Service"),
        ("Acme  Billing\tService/2.0 (linux; amd64) Go/1.22", "Acme Billing Service"),
        ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/130.0.0.0", "Mozilla"),
        ("Go-http-client/1.1", "Go-http-client"),
        ("7zip/24", "7zip"),
        ("okhttp3", "okhttp3"),
        ("node", "node"),
        ("worker 1.2.3-beta+5 2", "worker"),
        ("2.0", ""),
        ("(compatible; Googlebot/2.1)", ""),
        ("", ""),
        ("   ", ""),
        (None, ""),
        ("Büro/1", "B ro"),
        ("\x00\x1b[31m;evil", "[31m"),
        ("\ud800lone", "lone"),
        ("a" * 500 + "/1", "a" * LONGEST_FAMILY),
    ],
)
def test_a_family_is_the_products_name_without_its_version(user_agent: str | None, family: str) -> None:
    assert family_of(user_agent) == family


def test_a_key_in_the_user_agent_header_is_not_stored() -> None:
    secret = generate("fl", "live")
    assert family_of(secret) == secret[: len("fl_live_a1b2")]
    assert family_of(f"x {secret}/1") == "x " + secret[: len("fl_live_a1b2")]


@pytest.mark.parametrize("hostile", ["1" + "_a" * 50_000 + "!", "a " * 50_000, "/" * 100_000, " 1.1" * 30_000 + "x"])
def test_a_hostile_header_is_parsed_quickly(hostile: str) -> None:
    assert len(family_of(hostile)) <= LONGEST_FAMILY


def test_an_id_is_derived_from_the_callers_identity() -> None:
    one = caller_id(KEY, "203.0.113.0/24", "curl")
    assert ids.is_a(CALLER_ID, one)
    assert one == caller_id(KEY, "203.0.113.0/24", "curl")
    assert len({one, caller_id(KEY, "", "curl"), caller_id(KEY, "203.0.113.0/24", ""), caller_id(KEY[:-1] + "b", "", "curl")}) == 4


@pytest.mark.parametrize(
    ("network", "user_agent", "recognisable", "folded"),
    [
        ("203.0.113.0/24", "curl", True, False),
        ("", "curl", False, False),
        ("203.0.113.0/24", "", False, False),
        (FOLDED, FOLDED, False, True),
        # A program may have any name; only its network shows that a row is a folded one.
        ("203.0.113.0/24", "*", True, False),
    ],
)
def test_unknown_and_folded_callers_are_not_recognized_elsewhere(
    network: str, user_agent: str, recognisable: bool, folded: bool
) -> None:
    caller = Caller("cal", KEY, network, user_agent, 1, 2, 3, ())
    assert (caller.recognisable, caller.folded) == (recognisable, folded)
