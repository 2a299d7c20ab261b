"""Notice mails: one per workspace and run, to members who can act, at most once."""

from __future__ import annotations

import pytest

from app.access.actor import Actor
from app.alerts import service as alerts
from app.clock import DAY, HOUR
from app.plans import service as plans
from app.rotations import service as rotations
from app.settings import Settings
from app.workspaces import service as workspaces
from tests.alerts.conftest import NOW, key_due, mailbox, round_at
from tests.conftest import Team, make_key
from tests.support.outbox import send_mails
from tests.support.smtp import Smtp
from tests.support.statements import counted


@pytest.mark.usefixtures("emptied")
async def test_owners_and_editors_get_one_mail_with_everything_new(team: Team, settings: Settings, at: int) -> None:
    await workspaces.update(team.owner, team.slug, timezone="Europe/Berlin")
    key = await key_due(team, 7)
    await make_key(team, "Visitor", environment="development", expires_at=NOW + 12 * HOUR)
    await round_at(NOW)
    letters = await mailbox(settings)
    assert sorted(letter["To"] for letter in letters) == ["editor@acme.example", "owner@acme.example"]
    assert {letter["Subject"] for letter in letters} == {"Acme: 2 notices about API keys"}
    text = letters[0].get_content()
    assert f"{key.name} ({key.prefix}…, Production)" in text and f"{settings.origin}/w/acme/settings/api-keys/{key.id}" in text
    assert "Rotate it by Mon 2 Nov 2026, 08:33 CET (in 7 days)." in text, "after the end of summer time: 26 October was CET"
    assert "It expires on" in text and "(in 12 hours)" in text
    assert f"{settings.origin}/w/acme/alerts" in text


@pytest.mark.usefixtures("emptied")
async def test_one_notice_alone_says_so_in_the_subject(team: Team, settings: Settings, at: int) -> None:
    await key_due(team, 0)
    await round_at(NOW)
    letters = await mailbox(settings)
    assert {letter["Subject"] for letter in letters} == {"Acme: One API key needs attention"}
    assert "It should have been rotated by" in letters[0].get_content()


@pytest.mark.usefixtures("emptied")
async def test_a_deadline_says_what_can_be_done(team: Team, settings: Settings, at: int) -> None:
    key = (await make_key(team)).key
    await rotations.start(team.editor, key.id, deadline=NOW + HOUR)
    await round_at(NOW + HOUR)
    assert "The deadline of its rotation passed on" in (await mailbox(settings))[0].get_content()


@pytest.mark.usefixtures("emptied")
async def test_two_workspaces_get_separate_mails(team: Team, other_team: Team, settings: Settings, at: int) -> None:
    await key_due(team, 5, "Ours")
    await key_due(other_team, 5, "Theirs")
    await round_at(NOW)
    letters = {letter["To"]: letter.get_content() for letter in await mailbox(settings)}
    assert len(letters) == 4
    assert all(("Ours" in text, "Theirs" in text) == ("acme" in to, "rival" in to) for to, text in letters.items())


@pytest.mark.usefixtures("emptied")
async def test_many_keys_of_one_workspace_are_in_one_mail(db: None, team: Team, settings: Settings, at: int) -> None:
    await plans.change_plan(Actor.operator(), team.slug, "scale_enterprise")
    for number in range(45):
        await make_key(team, f"Key {number:02}", environment="development", expires_at=NOW + DAY)
    assert len(await round_at(NOW)) == 45
    letters = await mailbox(settings)
    assert len(letters) == 2
    assert all(f"Key {number:02} (" in letters[0].get_content() for number in range(45))


async def test_it_is_sent_by_smtp_if_there_is_a_server(smtp: Smtp, team: Team, at: int) -> None:
    await key_due(team, 5)
    await round_at(NOW)
    await send_mails()
    assert sorted(smtp.recipients) == ["editor@acme.example", "owner@acme.example"]


@pytest.mark.usefixtures("emptied")
async def test_a_name_cannot_inject_a_header(team: Team, settings: Settings, at: int) -> None:
    await workspaces.update(team.owner, team.slug, name="Acme =?utf-8?q?x?= Bcc: eve@example.org")
    await key_due(team, 5)
    await round_at(NOW)
    assert all(letter["Bcc"] is None and letter["To"].endswith("@acme.example") for letter in await mailbox(settings))
    assert len(await mailbox(settings)) == 2


async def test_a_run_without_due_notices_takes_two_statements(team: Team, at: int) -> None:
    await make_key(team)
    with counted() as seen:
        assert await alerts.run(NOW) == []
    assert len(seen) == 2
