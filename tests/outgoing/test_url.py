"""URLs and addresses that are refused before anything is sent."""

from __future__ import annotations

import ipaddress

import pytest

from app.outgoing.networks import is_allowed
from app.outgoing.url import Rules, Target, UrlRefused, parse, require_open

PRODUCTION = Rules()
INNER = Rules((ipaddress.ip_network("10.1.0.0/16"), ipaddress.ip_network("fd00:1::/32")))

CLOSED = [
    "0.0.0.0", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254", "168.63.129.16",
    "169.254.169.254", "169.254.170.2", "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.1.1",
    "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::1", "100::1", "fc00::1",
    "fd00:ec2::254", "fe80::1", "fe80::1%2", "fec0::1", "ff02::1",
    "2001::1", "2001:db8::1", "2002:7f00:1::", "3fff::1", "4000::1",
]  # fmt: skip
OPEN = [
    "1.1.1.1",
    "8.8.8.8",
    "11.0.0.1",
    "100.128.0.1",
    "172.32.0.1",
    "192.169.0.1",
    "223.255.255.255",
    "2606:4700::1111",
    "2a00::1",
]


@pytest.mark.parametrize("address", CLOSED)
def test_an_address_that_is_not_public_is_closed_unless_its_network_is_listed(address: str) -> None:
    assert not is_allowed(ipaddress.ip_address(address))
    if "%" not in address:
        assert is_allowed(ipaddress.ip_address(address), [ipaddress.ip_network(address)])


@pytest.mark.parametrize("address", OPEN)
def test_a_public_address_is_open(address: str) -> None:
    assert is_allowed(ipaddress.ip_address(address))


REFUSED = [
    *(f"https://{address}/" for address in CLOSED if ":" not in address),
    *(f"https://[{address}]/" for address in CLOSED if ":" in address),
    "", "x", "//example.com/", "http://example.com/", "ftp://example.com/", "file:///etc/passwd", "gopher://example.com/",
    "javascript:alert(1)", "https://", "https:///x",
    "https://:443/", "https://user@example.com/", "https://user:pass@example.com/",
    "https://example.com@127.0.0.1/", "https://example.com\\@127.0.0.1/", "https://example.com:22/", "https://example.com:80/",
    "https://example.com:6379/", "https://example.com:99999/", "https://example.com:x/", "https://example.com:0443/",
    "https://example.com/#part", "https://example.com/ x", "https://example.com/\r\nX: y", "https://example.com/\tx",
    "https://example.com/\x00", "https://exa\nmple.com/", "https://bücher.example/", "https://example.com/ü",

    "https://exa mple.com/", "https://-example.com/", "https://[::1",
    "https://[1.2.3.4]/", "https://127.0.0.1:443/", "https://[::1]:443/", "https://%31/",
    f"https://example.com/{'x' * 2_000}",
]  # fmt: skip


@pytest.mark.parametrize("url", REFUSED)
def test_such_a_url_is_refused(url: str) -> None:
    with pytest.raises(UrlRefused):
        parse(url, PRODUCTION)


def test_a_url_is_taken_apart() -> None:
    assert parse("https://Example.com", PRODUCTION) == Target(True, "example.com", 443, "/")
    assert parse("HTTPS://example.com.:8443/a/b?c=d", PRODUCTION) == Target(True, "example.com", 8443, "/a/b?c=d")
    assert parse("https://[2606:4700::1111]/", PRODUCTION).authority == "[2606:4700::1111]"
    assert parse("https://example.com:8443/", PRODUCTION).authority == "example.com:8443"
    assert parse("http://example.com:3000/", Rules(plain=True)) == Target(False, "example.com", 3000, "/")


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "0177.0.0.1", "127.1", "0", "localhost", "localtest.me"])
def test_other_spellings_of_an_address_are_refused_when_they_are_resolved(host: str) -> None:
    target = parse(f"https://{host}/", PRODUCTION)
    with pytest.raises(UrlRefused):
        require_open(["127.0.0.1"], target, PRODUCTION)


def test_one_closed_address_among_several_closes_the_host() -> None:
    target = parse("https://example.com/", PRODUCTION)
    require_open(["1.1.1.1", "2606:4700::1111"], target, PRODUCTION)
    with pytest.raises(UrlRefused):
        require_open(["1.1.1.1", "10.0.0.1"], target, PRODUCTION)


def test_a_listed_network_is_open_on_every_port_and_no_other_is() -> None:
    for url in ("https://10.1.2.3:9000/", "https://[fd00:1::5]:9000/", "https://hooks.internal:9000/"):
        parse(url, INNER)
    require_open(["10.1.2.3"], parse("https://hooks.internal:9000/", INNER), INNER)
    for address in ("10.2.0.1", "127.0.0.1", "1.1.1.1"):
        with pytest.raises(UrlRefused):
            require_open([address], parse("https://hooks.internal:9000/", INNER), INNER)
    with pytest.raises(UrlRefused):
        parse("http://10.1.2.3/", INNER)


def test_development_allows_http_and_ports_but_no_closed_network() -> None:
    for url in ("http://127.0.0.1:3000/", "http://[::1]:3000/", "http://169.254.169.254/"):
        with pytest.raises(UrlRefused):
            parse(url, Rules(plain=True))
