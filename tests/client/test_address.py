"""The caller's address: no request header lets a caller pass an allow-list."""

from __future__ import annotations

from typing import Any

import pytest

from keydesk_client.address import TrustedProxies


def caller(*lines: str, peer: str | None = "10.0.0.1", trusted: Any = ("10.0.0.0/8", "2001:db8::/32")) -> str | None:
    headers = [(b"X-Forwarded-For", line.encode("latin-1")) for line in lines]
    return TrustedProxies(trusted).caller({"client": (peer, 1) if peer is not None else None, "headers": headers})


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["203.0.113.9"], "203.0.113.9"),
        (["6.6.6.6, 203.0.113.9"], "203.0.113.9"),
        (["6.6.6.6", "203.0.113.9"], "203.0.113.9"),
        (["6.6.6.6, 203.0.113.9, 10.1.2.3 ,2001:db8::1"], "203.0.113.9"),
        (["::ffff:203.0.113.9"], "203.0.113.9"),
        (["2001:DB9::1"], "2001:db9::1"),
        ([], None),
        ([""], None),
        (["10.1.1.1"], None),
        (["203.0.113.9, unknown"], None),
        (["203.0.113.9:80"], "203.0.113.9"),
        (["203.0.113.9,"], "203.0.113.9"),
        (["fe80::1%eth0"], "fe80::1"),
        (['"[2001:4860::5]:443", '], "2001:4860::5"),
        (["[2001:4860::5]"], "2001:4860::5"),
        (["203.0.113.9:99999999"], None),
        (["203.0.113.9:"], None),
        (["[203.0.113.9"], None),
        (["203.0.113.9, é"], None),
    ],
)
def test_behind_a_trusted_proxy_it_is_the_last_entry_that_is_not_a_proxy_or_unknown(lines: list[str], expected: str | None) -> None:
    assert caller(*lines) == expected


def test_without_a_trusted_proxy_the_caller_is_the_peer_whatever_its_headers_say() -> None:
    assert caller("203.0.113.9", peer="198.51.100.1") == "198.51.100.1"
    assert caller("203.0.113.9", peer="10.0.0.1", trusted=()) == "10.0.0.1"
    assert caller("203.0.113.9", peer="::ffff:10.0.0.1") == "203.0.113.9"
    assert caller("203.0.113.9", peer="testclient") is None
    assert caller("203.0.113.9", peer="") is None


def test_a_unix_socket_has_no_address_and_is_trusted_by_name_only() -> None:
    assert caller("203.0.113.9", peer=None) is None
    assert caller("203.0.113.9", peer=None, trusted=["unix"]) == "203.0.113.9"
    assert caller("203.0.113.9", peer="10.0.0.1", trusted=["unix"]) == "10.0.0.1"


@pytest.mark.parametrize("network", ["10.0.0.1/8", "everywhere", "", "10.0.0.0/33"])
def test_an_invalid_network_is_refused_at_construction(network: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        TrustedProxies([network])
