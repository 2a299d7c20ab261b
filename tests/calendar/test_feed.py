"""The feed conforms to RFC 5545: a separate parser reads it back, with any characters in names."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from app import clock, database
from app.calendar import service as calendars
from app.calendar.feed import Event, render
from app.clock import DAY
from app.keys import service as keys
from app.keys.key import Reason
from app.rotations import service as rotations
from app.workspaces import service as workspaces
from tests.conftest import Team, make_key

NOW = clock.from_datetime(datetime(2026, 11, 24, 7, 30, tzinfo=UTC))
Events = dict[str, dict[str, str]]


def event(**changes: object) -> Event:
    fields: dict[str, object] = {"uid": "a@keydesk", "at": NOW, "summary": "s", "description": "d", "url": "https://k.example/"}
    return Event(**fields | changes)  # type: ignore[arg-type]


def lines(content: bytes) -> list[str]:
    """The unfolded lines; checks that every physical line ends in CRLF, has at most 75 octets and splits no character."""
    assert content.endswith(b"\r\n") and b"\n" not in content.replace(b"\r\n", b"") and b"\r" not in content.replace(b"\r\n", b"")
    for line in content.split(b"\r\n"):
        assert len(line) <= 75
        line.decode()
    return content.decode().replace("\r\n ", "").split("\r\n")[:-1]


def events(content: bytes) -> Events:
    """The events by id, each with its properties by name and parameters."""
    found: Events = {}
    current: dict[str, str] = {}
    for line in lines(content):
        name, _, value = line.partition(":")
        current = {} if line == "BEGIN:VEVENT" else current | {name: value}
        if line == "END:VEVENT":
            found[current["UID"]] = current
    return found


def unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda match: "\n" if match.group(1) == "n" else match.group(1), text)


def test_a_calendar_has_the_required_properties() -> None:
    got = lines(render("API keys of Acme", "UTC", [event()], NOW))
    assert got[:3] == ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Keydesk//API key dates//EN"]
    assert got[-1] == "END:VCALENDAR" and "DTSTAMP:20261124T073000Z" in got and "BEGIN:VALARM" not in got
    assert got.count("BEGIN:VEVENT") == got.count("END:VEVENT") == 1


@pytest.mark.parametrize(
    "name",
    [
        "Production, EU; backup\\old",
        "Ünïcödé 密钥 🔑" * 12,
        "x" * 300,
        "é" * 100,
        "a:b BEGIN:VEVENT",
        "END:VCALENDAR",
        "line\nbreak",
        "tail\\",
    ],
)
def test_a_name_with_any_characters_is_read_back_unchanged_and_injects_no_line(name: str) -> None:
    content = render(name, "UTC", [event(summary=name, description=name)], NOW)
    (found,) = events(content).values()
    assert unescaped(found["SUMMARY"]) == unescaped(found["DESCRIPTION"]) == name
    assert lines(content).count("BEGIN:VEVENT") == 1 and lines(content)[-1] == "END:VCALENDAR"


def test_control_characters_are_left_out() -> None:
    (found,) = events(render("a\rb\x00", "UTC", [event(summary="a\r\x1bb")], NOW)).values()
    assert found["SUMMARY"] == "ab"


def test_an_instant_is_utc_and_a_day_is_that_of_the_zone_before_and_after_a_dst_change() -> None:
    before = clock.from_datetime(datetime(2026, 10, 24, 22, 30, tzinfo=UTC))
    after = clock.from_datetime(datetime(2026, 10, 25, 23, 30, tzinfo=UTC))
    for at, day, instant in ((before, "20261025", "20261024T223000Z"), (after, "20261026", "20261025T233000Z")):
        (whole,) = events(render("n", "Europe/Berlin", [event(at=at, all_day=True)], NOW)).values()
        (exact,) = events(render("n", "Europe/Berlin", [event(at=at)], NOW)).values()
        assert (whole["DTSTART;VALUE=DATE"], exact["DTSTART"]) == (day, instant)


async def read(team: Team) -> Events:
    link = await calendars.renew_link(team.editor, team.slug)
    return events(await calendars.read(link.rsplit("/", 1)[1].removesuffix(".ics")))


async def test_it_contains_only_the_dates_of_live_keys(team: Team, other_team: Team) -> None:
    database.freeze(NOW)
    plain = (await make_key(team, "Plain")).key
    ending = (await make_key(team, "Ending", environment="temporary", expires_at=NOW + 5 * DAY)).key
    both = (await make_key(team, "Both", expires_at=NOW + 30 * DAY)).key
    await keys.suspend(team.editor, both.id)
    revoked = (await make_key(team, "Revoked")).key
    await keys.revoke(team.owner, revoked.id, Reason.OTHER)
    await make_key(team, "Expired", environment="temporary", expires_at=NOW + 1)
    await make_key(other_team, "Theirs")
    database.freeze(NOW + 1)
    found = await read(team)
    assert set(found) == {
        f"{plain.id}-rotate-by@keydesk",
        f"{ending.id}-expiry@keydesk",
        f"{both.id}-rotate-by@keydesk",
        f"{both.id}-expiry@keydesk",
    }
    assert found[f"{ending.id}-expiry@keydesk"]["DTSTART"] == "20261129T073000Z"
    assert unescaped(found[f"{plain.id}-rotate-by@keydesk"]["SUMMARY"]) == f"Rotate Plain ({plain.prefix}…)"


async def test_an_event_whose_date_moves_keeps_its_id(team: Team) -> None:
    database.freeze(NOW)
    key = (await make_key(team, expires_at=NOW + 5 * DAY)).key
    before = await read(team)
    await keys.update(team.owner, key.id, {"name": "Renamed", "expires_at": NOW + 9 * DAY})
    after = await read(team)
    assert set(before) == set(after)
    assert after[f"{key.id}-expiry@keydesk"]["DTSTART"] == "20261203T073000Z"


async def test_a_key_that_is_being_rotated_has_no_rotation_event(team: Team) -> None:
    database.freeze(NOW)
    key = (await make_key(team)).key
    run = (await rotations.start(team.editor, key.id)).progress
    assert set(await read(team)) == {f"{run.successor.id}-rotate-by@keydesk"}


async def test_it_contains_hundreds_of_keys_and_no_secret(team: Team) -> None:
    async with database.transaction():
        await database.fetch("UPDATE workspace SET plan = 'scale_enterprise'")
    made = [await make_key(team, f"Key {n}") for n in range(120)]
    link = await calendars.renew_link(team.editor, team.slug)
    content = await calendars.read(link.rsplit("/", 1)[1].removesuffix(".ics"))
    assert len(events(content)) == 120
    plain = content.decode().replace("\r\n ", "")
    assert not [each for each in made if str(each.secret) in plain or str(each.secret)[12:] in plain]


async def test_the_feed_of_a_suspended_workspace_still_works(team: Team) -> None:
    await make_key(team)
    link = await calendars.renew_link(team.editor, team.slug)
    await workspaces.suspend(workspaces.Actor.operator(), team.slug)
    assert await calendars.read(link.rsplit("/", 1)[1].removesuffix(".ics"))
