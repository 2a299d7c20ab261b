"""What members get by mail: at once, in one digest a day that no crash loses or doubles, or not at all."""

from __future__ import annotations

import asyncio
import os
from datetime import datetime
from email.message import EmailMessage
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from app import clock, database
from app.access.actor import Actor, Role
from app.alerts import mail_service, mailing
from app.alerts import service as alerts
from app.alerts.alert import Kind, Resolution
from app.alerts.alert_mail import AlertMail, Delivery
from app.audit import store as audit_store
from app.clock import DAY, HOUR, MINUTE, parse_rfc3339
from app.errors import NotFound, ValidationFailed
from app.keys.key import ApiKey
from app.members import service as members
from app.settings import Settings
from app.versions import Stale
from app.workspaces import service as workspaces
from tests.alerts.conftest import mailbox
from tests.alerts.test_automatic_suspension import newest, note, switch_on
from tests.conftest import Team, make_key
from tests.support.access import seen
from tests.support.processes import answer, python
from tests.support.server import Server

# A Wednesday, 11:30 in Berlin.
NOW = parse_rfc3339("2026-10-28T10:30:00Z")
EIGHT = parse_rfc3339("2026-10-29T08:00:00Z")
NETWORK, SPIKE = Kind.UNEXPECTED_NETWORK, Kind.FAILURE_SPIKE
# Another node that writes digests once, when the test allows it.
NODE = f"""
import asyncio, os, sys
from app import database, start
from app.alerts import mailing
from app.settings import Settings
async def main():
    async with start.opened(Settings.load(os.environ)):
        database.freeze({EIGHT})
        if "waits" in sys.argv:
            open(sys.argv[-1]).read()
        written = await mailing.run({EIGHT})
        if "dies" in sys.argv:
            os._exit(9)
        print(written)
asyncio.run(main())
"""
# One that dies after the digest was taken and its mail put into the outbox, before both are committed.
DIES_BEFORE = NODE.replace(
    "        written =",
    "        from app.alerts import mail_store\n"
    "        async def dies(*_): os._exit(9)\n"
    "        mail_store.put = dies\n"
    "        written =",
)

pytestmark = pytest.mark.usefixtures("emptied")


@pytest.fixture
async def key(team: Team) -> ApiKey:
    database.freeze(NOW)
    return (await make_key(team, "Billing")).key


async def choose(actor: Actor, team: Team, delivery: Delivery, *kinds: Kind, hour: int | None = None) -> AlertMail:
    chosen = dict.fromkeys(kinds or tuple(Kind), delivery)
    return (await mail_service.update(actor, team.slug, deliveries=chosen, hour=hour))[1]


async def digest_at(instant: int) -> int:
    """Runs the job at this instant; returns how many digests it wrote."""
    database.freeze(instant)
    return await mailing.run(instant) if await mailing.is_wanted(instant) else 0


async def received(settings: Settings, name: str) -> list[EmailMessage]:
    """What one member of the team has got, the oldest first."""
    return [letter for letter in await mailbox(settings) if letter["To"] == f"{name}@acme.example"]


async def waiting() -> list[int]:
    return [row["due_at"] for row in await database.fetch("SELECT due_at FROM alert_digest ORDER BY due_at")]


async def test_by_default_owners_and_editors_get_all_at_once_and_viewers_nothing(
    team: Team, key: ApiKey, settings: Settings
) -> None:
    for actor, delivery in ((team.owner, "AT_ONCE"), (team.editor, "AT_ONCE"), (team.viewer, "NEVER")):
        found = await mail_service.find(await seen(actor, team.slug))
        assert set(found.deliveries) == set(Kind) and set(found.deliveries.values()) == {delivery} and found.hour == 8
    await note(key, NOW)
    assert sorted(letter["To"] for letter in await mailbox(settings)) == ["editor@acme.example", "owner@acme.example"]
    assert await digest_at(EIGHT) == 0 and len(await mailbox(settings)) == 2


async def test_each_member_gets_the_kinds_that_they_have_chosen(team: Team, key: ApiKey, settings: Settings) -> None:
    await choose(team.owner, team, Delivery.NEVER, NETWORK)
    await choose(team.viewer, team, Delivery.AT_ONCE, NETWORK)
    await note(key, NOW)
    await note(key, NOW + MINUTE, SPIKE, "40")
    got = {name: [letter["Subject"] for letter in await received(settings, name)] for name in ("owner", "editor", "viewer")}
    assert {name: len(each) for name, each in got.items()} == {"owner": 1, "editor": 2, "viewer": 1}
    assert "Failure spike." in (await received(settings, "owner"))[0].get_content()
    assert "Unexpected network." in (await received(settings, "viewer"))[0].get_content()


async def test_notices_about_dates_follow_the_choice_too(team: Team, settings: Settings) -> None:
    database.freeze(NOW)
    await make_key(team, "Visitor", environment="development", expires_at=NOW + 2 * DAY)
    await choose(team.owner, team, Delivery.NEVER, Kind.EXPIRY)
    await choose(team.editor, team, Delivery.DAILY, Kind.EXPIRY)
    await alerts.run(NOW)
    assert await mailbox(settings) == []
    assert await digest_at(EIGHT) == 1
    (letter,) = await mailbox(settings)
    assert letter["To"] == "editor@acme.example" and "It expires on" in letter.get_content()


async def test_a_digest_has_all_alerts_since_the_last_one_and_is_sent_once_a_day(
    team: Team, key: ApiKey, settings: Settings
) -> None:
    other = (await make_key(team, "Reports")).key
    await choose(team.editor, team, Delivery.DAILY)
    await note(key, NOW)
    await note(other, NOW + HOUR, SPIKE, "40")
    await alerts.resolve(team.owner, (await newest(team, other)).id, Resolution.HANDLED)
    assert await received(settings, "editor") == [] and await digest_at(EIGHT - 1) == 0
    assert await digest_at(EIGHT) == 1 and await digest_at(EIGHT + MINUTE) == 0
    (letter,) = await received(settings, "editor")
    assert letter["Subject"] == "Acme: 2 alerts about API keys, daily digest"
    text = letter.get_content()
    assert "2 alerts since your last digest, 1 still open." in text
    assert "Wed 28 Oct, 10:30: Unexpected network." in text and "Wed 28 Oct, 11:30: Failure spike." in text
    assert text.index("Reports (") < text.index("Billing ("), "the newest first"
    assert text.count("Resolved since.") == 1
    assert await digest_at(EIGHT + DAY) == 0, "an empty digest is not sent"
    await note(other, EIGHT + DAY + HOUR)
    assert await digest_at(EIGHT + 2 * DAY) == 1
    assert (await received(settings, "editor"))[1]["Subject"] == "Acme: 1 alert about API keys, daily digest"


async def test_every_mail_links_to_the_choice(team: Team, key: ApiKey, settings: Settings) -> None:
    await choose(team.editor, team, Delivery.DAILY)
    await note(key, NOW)
    await digest_at(EIGHT)
    link = f"{settings.origin}/w/acme/settings/alert-mail"
    assert [link in letter.get_content() for letter in await mailbox(settings)] == [True, True]


async def test_the_hour_is_the_members_in_the_zone_of_the_workspace(team: Team, key: ApiKey) -> None:
    await workspaces.update(team.owner, team.slug, timezone="Europe/Berlin")
    await choose(team.editor, team, Delivery.DAILY, hour=18)
    await choose(team.owner, team, Delivery.DAILY)
    await note(key, NOW)
    # 18:00 today and 08:00 tomorrow, in winter time.
    assert await waiting() == [parse_rfc3339("2026-10-28T17:00:00Z"), parse_rfc3339("2026-10-29T07:00:00Z")]


async def test_an_alert_that_has_suspended_its_key_is_mailed_at_once(team: Team, key: ApiKey, settings: Settings) -> None:
    await switch_on(team)
    await choose(team.editor, team, Delivery.DAILY)
    await choose(team.owner, team, Delivery.NEVER)
    await note(key, NOW)
    (letter,) = await mailbox(settings)
    assert letter["To"] == "editor@acme.example" and "Keydesk has suspended the key." in letter.get_content()
    assert await digest_at(EIGHT) == 0


async def test_owners_hear_of_the_daily_limit_whatever_they_have_chosen(team: Team, key: ApiKey, settings: Settings) -> None:
    await switch_on(team, most=1)
    await choose(team.owner, team, Delivery.NEVER)
    await note(key, NOW)
    await note((await make_key(team, "Reports")).key, NOW + MINUTE)
    (letter,) = await received(settings, "owner")
    assert "daily limit" in letter["Subject"]


async def test_another_hour_moves_what_waits_and_never_makes_two_digests_a_day(team: Team, key: ApiKey, settings: Settings) -> None:
    await choose(team.editor, team, Delivery.DAILY)
    await note(key, NOW)
    await choose(team.editor, team, Delivery.DAILY, hour=12)
    assert await waiting() == [parse_rfc3339("2026-10-28T12:00:00Z")]
    assert await digest_at(NOW + 2 * HOUR) == 1
    await note((await make_key(team, "Reports")).key, NOW + 3 * HOUR)
    await choose(team.editor, team, Delivery.DAILY, hour=20)
    assert await waiting() == [parse_rfc3339("2026-10-29T20:00:00Z")]


async def test_what_is_no_longer_wanted_leaves_the_digest(team: Team, key: ApiKey, settings: Settings) -> None:
    await choose(team.editor, team, Delivery.DAILY)
    await note(key, NOW)
    await note(key, NOW + MINUTE, SPIKE, "40")
    await choose(team.editor, team, Delivery.NEVER, SPIKE)
    await choose(team.editor, team, Delivery.AT_ONCE, NETWORK)
    assert await digest_at(EIGHT) == 1, "what was put off is not lost"
    text = (await received(settings, "editor"))[0].get_content()
    assert "Unexpected network." in text and "Failure spike." not in text


async def test_a_membership_takes_choice_and_digest_with_it(team: Team, key: ApiKey, settings: Settings) -> None:
    await choose(team.editor, team, Delivery.DAILY)
    await note(key, NOW)
    assert team.editor.user_id is not None
    await members.remove(team.owner, team.slug, team.editor.user_id)
    assert await digest_at(EIGHT) == 0 and await received(settings, "editor") == []
    for table in ("alert_mail", "alert_digest"):
        assert await database.fetch(f"SELECT * FROM {table}") == []


async def test_a_choice_is_a_members_own(team: Team, other_team: Team) -> None:
    for stranger in (other_team.owner, other_team.viewer):
        with pytest.raises(NotFound):
            await mail_service.update(stranger, team.slug, hour=3)
    await choose(team.viewer, team, Delivery.DAILY, hour=3)
    assert (await mail_service.find(await seen(team.owner, team.slug))).hour == 8
    with pytest.raises(NotFound):
        await mail_service.update(Actor.operator(), team.slug, hour=3)
    for hour in (-1, 24):
        with pytest.raises(ValidationFailed):
            await mail_service.update(team.viewer, team.slug, hour=hour)


async def test_a_change_has_an_audit_entry_and_a_repetition_or_a_stale_form_has_none(team: Team, key: ApiKey) -> None:
    first = await mail_service.find(await seen(team.editor, team.slug))
    for _ in range(2):
        await mail_service.update(team.editor, team.slug, deliveries={SPIKE: Delivery.DAILY}, hour=9, expected=first.version)
    with pytest.raises(Stale):
        await mail_service.update(team.editor, team.slug, hour=10, expected=first.version)
    assert team.editor.user_id is not None
    entries = await audit_store.entries_about(team.workspace.id, team.editor.user_id, ("alert.mail_chosen",), 0)
    changed = {"failure_spike": {"before": "AT_ONCE", "after": "DAILY"}, "digest_hour": {"before": 8, "after": 9}}
    assert [entry.detail for entry in entries] == [{"name": team.editor.name, **changed}]


async def test_concurrent_runs_in_one_process_write_a_digest_once(team: Team, key: ApiKey, settings: Settings) -> None:
    await choose(team.editor, team, Delivery.DAILY)
    await note(key, NOW)
    database.freeze(EIGHT)
    assert sorted(await asyncio.gather(*(mailing.run(EIGHT) for _ in range(5)))) == [0, 0, 0, 0, 1]
    assert len(await received(settings, "editor")) == 1


@pytest.mark.slow
async def test_two_nodes_write_a_digest_once(
    team: Team, key: ApiKey, environment: dict[str, str], settings: Settings, tmp_path: Path
) -> None:
    for actor in (team.owner, team.editor, team.viewer):
        await choose(actor, team, Delivery.DAILY)
    await note(key, NOW)
    gates = [tmp_path / "first", tmp_path / "second"]
    for gate in gates:
        os.mkfifo(gate)
    nodes = [python(NODE, environment, "waits", str(gate)) for gate in gates]
    # Opening a pipe waits for its reader: when both are open, both nodes are about to run the job.
    for pipe in [await asyncio.to_thread(gate.open, "w") for gate in gates]:
        pipe.close()
    assert sum([int(await asyncio.to_thread(answer, node)) for node in nodes]) == 3
    database.freeze(EIGHT)
    assert sorted(letter["To"] for letter in await mailbox(settings)) == [
        "editor@acme.example", "owner@acme.example", "viewer@acme.example",
    ]  # fmt: skip


@pytest.mark.slow
async def test_running_nodes_write_a_digest_by_themselves_and_once(
    team: Team, key: ApiKey, environment: dict[str, str], settings: Settings, tmp_path: Path
) -> None:
    await choose(team.editor, team, Delivery.DAILY)
    await choose(team.owner, team, Delivery.NEVER)
    await note(key, NOW)
    database.freeze(None)
    with Server(environment, tmp_path, patient=True).running(), Server(environment, tmp_path, patient=True).running():
        async with asyncio.timeout(60):
            while not await mailbox(settings):
                await asyncio.sleep(0.05)
    assert [letter["To"] for letter in await mailbox(settings)] == ["editor@acme.example"] and await waiting() == []


@pytest.mark.slow
@pytest.mark.parametrize("source", [NODE, DIES_BEFORE], ids=["after the commit", "before the commit"])
async def test_a_node_that_dies_neither_loses_nor_doubles_a_digest(
    team: Team, key: ApiKey, environment: dict[str, str], settings: Settings, source: str
) -> None:
    await choose(team.editor, team, Delivery.DAILY)
    await note(key, NOW)
    node = python(source, environment, "dies")
    await asyncio.to_thread(node.communicate)
    assert node.returncode == 9
    assert await digest_at(EIGHT + MINUTE) == (1 if source == DIES_BEFORE else 0)
    assert len(await received(settings, "editor")) == 1
    assert await digest_at(EIGHT + 2 * MINUTE) == 0 and len(await received(settings, "editor")) == 1


@pytest.mark.parametrize(("zone", "hour", "now", "last", "due"), [
    ("UTC", 8, "2026-10-28T07:59", None, "2026-10-28T08:00"),
    ("UTC", 8, "2026-10-28T08:00", None, "2026-10-29T08:00"),
    ("Europe/Berlin", 8, "2026-10-24T12:00", None, "2026-10-25T07:00"),
    ("Europe/Berlin", 2, "2027-03-27T12:00", None, "2027-03-28T01:00"),
    ("Pacific/Auckland", 0, "2026-10-28T10:59", None, "2026-10-28T11:00"),
    ("UTC", 18, "2026-10-28T09:00", "2026-10-28T08:00", "2026-10-29T18:00"),
    ("UTC", 18, "2026-10-28T09:00", "2026-10-27T08:00", "2026-10-28T18:00"),
    ("UTC", 8, "2026-10-28T07:45", "2026-10-28T07:30", "2026-10-29T08:00"),
    ("UTC", 8, "2026-10-28T07:45", "2027-10-28T07:30", "2026-10-28T08:00"),
])  # fmt: skip
def test_the_next_digest_is_at_the_hour_on_a_day_without_one(zone: str, hour: int, now: str, last: str | None, due: str) -> None:
    def instant(text: str) -> int:
        return clock.from_datetime(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("UTC")))

    found = AlertMail(Role.EDITOR, {}, hour, instant(last) if last else None).next_digest(zone, instant(now))
    assert clock.rfc3339(found) == clock.rfc3339(instant(due))
