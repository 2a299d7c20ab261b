"""A management key with allowed networks authenticates from these alone; elsewhere it is answered like an unknown key."""

from __future__ import annotations

import asyncio
import ipaddress
from dataclasses import replace

import pytest

from app import database
from app.access.actor import Request
from app.api.server.endpoint import Endpoint
from app.api.server.operations import Operations
from app.audit import service as audit
from app.clock import DAY, rfc3339
from app.errors import NotAuthenticated
from app.live import Live
from app.management_keys import service
from app.management_keys.management_key import ManagementKey, ManagementKeyInput
from app.pace import Pace
from app.settings import Settings
from app.web.framework.session_auth import SessionAuth
from tests.conftest import Team
from tests.support.access import seen
from tests.support.graphql import Client, no_page

HELLO = "{ viewer { kind } }"


async def make(team: Team, *networks: str) -> tuple[ManagementKey, str]:
    asked = ManagementKeyInput("CI", ("keys.read",), await database.now() + DAY, networks)
    return await service.create(team.owner, team.slug, asked)


async def admitted(secret: str, address: str) -> bool:
    try:
        await service.authenticate(secret, Request(address, "ci/1", "req_x"))
    except NotAuthenticated as refusal:
        assert refusal.args == NotAuthenticated("This is not a valid management key.").args
        return False
    return True


@pytest.mark.parametrize(
    ("networks", "address", "expected"),
    [
        ((), "203.0.113.9", True),
        ((), "", True),
        (("203.0.113.9",), "203.0.113.9", True),
        (("203.0.113.9",), "203.0.113.10", False),
        (("203.0.113.0/24",), "203.0.113.255", True),
        (("203.0.113.0/24",), "203.0.114.0", False),
        (("198.51.100.7", "203.0.113.0/24"), "203.0.113.1", True),
        (("203.0.113.0/24",), "::ffff:203.0.113.9", True),
        (("::ffff:203.0.113.0/120",), "203.0.113.9", True),
        (("2001:db8::/48",), "2001:db8:0:ffff::1", True),
        (("2001:db8::/48",), "2001:db8:1::1", False),
        (("2001:db8::/48",), "203.0.113.9", False),
        (("0.0.0.0/0",), "2001:db8::1", False),
        (("0.0.0.0/0", "::/0"), "", False),
    ],
)
async def test_a_key_is_accepted_from_its_networks_only(
    team: Team, networks: tuple[str, ...], address: str, expected: bool
) -> None:
    _, secret = await make(team, *networks)
    assert await admitted(secret, address) is expected


async def test_networks_are_stored_in_one_form_and_each_once(team: Team) -> None:
    key, _ = await make(team, "203.0.113.9", " 203.0.113.9/32 ", "2001:DB8:0::/48", "::ffff:198.51.100.0/120")
    expected = ("203.0.113.9/32", "2001:db8::/48", "198.51.100.0/24")
    assert key.allowed_ips == (await service.get(team.owner, key.id)).allowed_ips == expected
    (entry, *_) = await audit.page(await seen(team.owner, team.slug), limit=1)
    assert (entry.action, entry.detail["allowed_ips"]) == ("management_key.created", [*expected])


async def test_a_refused_address_leaves_no_last_use(team: Team) -> None:
    key, secret = await make(team, "203.0.113.0/24")
    assert not await admitted(secret, "198.51.100.7")
    assert (await service.get(team.owner, key.id)).last_used_at is None
    assert await admitted(secret, "203.0.113.9")
    assert (await service.get(team.owner, key.id)).last_used_at is not None


def client_of(settings: Settings, secret: str, *proxies: str) -> Client:
    """A client of an endpoint that trusts these proxies; the client's own address is 127.0.0.1."""
    gate = SessionAuth(replace(settings, trusted_proxies=tuple(ipaddress.ip_network(proxy) for proxy in proxies)))
    client = Client(token=secret)
    client.endpoint = Endpoint(gate.describe, gate.session_actor, no_page, Operations(Pace()), Live(asyncio.Event()))
    return client


async def test_graphql_answers_from_another_address_as_for_an_unknown_key(team: Team, settings: Settings) -> None:
    _, secret = await make(team, "203.0.113.0/24")
    behind, direct = client_of(settings, secret, "127.0.0.0/8"), client_of(settings, secret)
    good = await behind.request(json={"query": HELLO}, headers={"x-forwarded-for": "198.51.100.66, 203.0.113.9"})
    assert good.json()["data"] == {"viewer": {"kind": "MANAGEMENT_KEY"}}
    unknown = await client_of(settings, secret[:-1] + "0", "127.0.0.0/8").send(HELLO)
    for client, forwarded in ((behind, "203.0.113.9, 198.51.100.66"), (behind, "unknown"), (direct, "203.0.113.9")):
        refused = await client.request(json={"query": HELLO}, headers={"x-forwarded-for": forwarded})
        assert (refused.status_code, refused.content) == (401, unknown.content) == (unknown.status_code, unknown.content)
        assert refused.headers["www-authenticate"] == unknown.headers["www-authenticate"]


async def test_graphql_creates_a_key_with_networks_and_reports_a_wrong_one_with_its_index(team: Team) -> None:
    owner = Client(team.owner)
    asked = {"name": "CI", "scopes": ["keys.read"], "expiresAt": rfc3339(await database.now() + DAY)}
    made = await owner.change("management/create", **asked, allowedIps=["203.0.113.9"])
    assert made["managementKey"]["allowedIps"] == ["203.0.113.9/32"]
    for anywhere in ({}, {"allowedIps": None}, {"allowedIps": []}):
        assert (await owner.change("management/create", **asked, **anywhere))["managementKey"]["allowedIps"] == []
    listed = await owner.run("management/list", workspace=team.slug)
    assert [node["allowedIps"] for node in listed["managementKeys"]["nodes"]] == [[], [], [], ["203.0.113.9/32"]]
    refused = await owner.change("management/create", **asked, allowedIps=["203.0.113.9", "203.0.113.9/24"])
    assert [(fault["field"], fault["path"], fault["code"]) for fault in refused["fields"]] == [
        ("allowedIps", ["allowedIps", "1"], "INVALID")
    ]
