"""Allowed names: one rule for keys, workspaces and people."""

from __future__ import annotations

import zoneinfo

import pytest

from app.errors import ValidationFailed
from app.keys import service as keys
from app.keys import validation as key_rules
from app.tenancy import service as tenancy
from app.users.validation import email_fault, name_fault
from app.web.workspace import zones
from app.workspaces import service as workspaces
from app.workspaces import validation
from tests.conftest import Team, make_key
from tests.support.access import seen

TURNING = [chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))]
BREAKING = ["\n", "\r", "\t", "\0", "\x1b", "\x85", "\u2028", "\u2029", "\ud800"]


@pytest.mark.parametrize("character", TURNING + BREAKING)
def test_no_name_changes_the_direction_or_breaks_the_lines_of_surrounding_text(character: str) -> None:
    name = f"safe{character}txt.exe"
    for fault in (key_rules.name_fault(name), validation.workspace_name_fault(name), name_fault(name)):
        assert fault and (fault.field, fault.code) == ("name", "INVALID")
    assert email_fault(f"a{character}b@example.org") is not None


@pytest.mark.parametrize("name", ["Ünïcödé 密钥 🔑", "مفتاح الإنتاج", "מפתח \u200fייצור", "x" * 100, "e\u0301" * 100])
def test_a_name_in_any_script_is_accepted(name: str) -> None:
    assert [key_rules.name_fault(name), validation.workspace_name_fault(name), name_fault(name)] == [None] * 3


async def test_a_name_with_direction_overrides_is_refused_and_changes_nothing(team: Team) -> None:
    key = (await make_key(team)).key
    with pytest.raises(ValidationFailed):
        await make_key(team, "a\u202eb")
    with pytest.raises(ValidationFailed):
        await keys.update(team.owner, key.id, {"name": "a\u2066b"})
    with pytest.raises(ValidationFailed):
        await workspaces.update(team.owner, team.slug, name="a\u2069b")
    assert await keys.get(team.owner, key.id) == key and await keys.count(await seen(team.owner, team.slug)) == 1
    assert (await tenancy.seen(team.owner, team.slug)).workspace == team.workspace


@pytest.mark.parametrize("zone", ["localtime", "posixrules", "Factory"])
async def test_a_machine_specific_time_zone_is_neither_offered_nor_accepted(
    team: Team, monkeypatch: pytest.MonkeyPatch, zone: str
) -> None:
    monkeypatch.setattr(zoneinfo, "available_timezones", lambda: {"Europe/Berlin", zone})
    for cached in (validation.timezones, validation.offered_timezones, zones):
        cached.cache_clear()
    try:
        assert validation.timezones() == {"Europe/Berlin", "UTC"}
        assert zones() == {"General": ("UTC",), "Europe": ("Europe/Berlin",)}
        with pytest.raises(ValidationFailed) as refusal:
            await workspaces.update(team.owner, team.slug, timezone=zone)
    finally:
        for cached in (validation.timezones, validation.offered_timezones, zones):
            cached.cache_clear()
    assert [fault.field for fault in refusal.value.fields] == ["timezone"]


@pytest.mark.parametrize("elsewhere", [False, True], ids=["of the system", "of the package"])
def test_a_time_zone_is_offered_once_and_by_its_present_name(monkeypatch: pytest.MonkeyPatch, elsewhere: bool) -> None:
    if elsewhere:
        monkeypatch.setattr(zoneinfo, "TZPATH", ())
    validation.offered_timezones.cache_clear()
    found = validation.offered_timezones()
    assert {"UTC", "Europe/Berlin", "America/Indiana/Indianapolis", "Asia/Kolkata"} <= found
    assert not found & {"US/East-Indiana", "America/Indianapolis", "Asia/Calcutta", "Etc/GMT+5", "GMT", "Zulu"}
    assert "US/East-Indiana" in validation.timezones()


@pytest.mark.parametrize("network", ["fe80::1%eth0", "fe80::%eth0/64", "fe80::1%25eth0", "2001:db8::1%1"])
async def test_an_allow_list_accepts_no_ipv6_zone_because_it_is_machine_specific(team: Team, network: str) -> None:
    with pytest.raises(ValidationFailed) as refusal:
        await make_key(team, allowed_ips=(network,))
    assert [(fault.field, fault.code) for fault in refusal.value.fields] == [("allowedIps", "INVALID")]
    assert network in refusal.value.message


async def test_several_faults_are_reported_as_sentences(team: Team) -> None:
    with pytest.raises(ValidationFailed) as refusal:
        await make_key(team, " ", permissions=())
    assert refusal.value.message == "Enter a name that says where the key is used. Choose at least one permission."
