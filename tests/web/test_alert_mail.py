"""A member's page of what they get by mail, without scripts."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from app.alerts import mail_service
from app.alerts.alert import Kind
from app.alerts.alert_mail import AlertMail, Delivery
from app.workspaces import service as workspaces
from tests.conftest import Team
from tests.support.access import seen
from tests.web.conftest import Browser, signed_in

CHOICE = "/w/acme/settings/alert-mail"


async def choice_of(team: Team, name: str) -> AlertMail:
    return await mail_service.find(await seen(getattr(team, name), team.slug))


@pytest.mark.parametrize("name", ["owner", "editor", "viewer"])
async def test_every_member_chooses_for_themselves(browse: Callable[..., Browser], team: Team, name: str) -> None:
    browser = await signed_in(browse(), getattr(team, name))
    for path in ("/w/acme/alerts", "/account"):
        await browser.open(path)
        assert f'href="{CHOICE}"' in browser.page
    await browser.open(CHOICE)
    assert f"{name}@acme.example" in browser.page and browser.page.count("<select") == len(Kind) + 1
    before = await choice_of(team, name)
    answer = await browser.send(CHOICE, LEAKED="DAILY", dailyHour="17")
    assert answer.status_code == 303
    await browser.open(answer.headers["location"])
    assert "Saved." in browser.page and '<option value="17" selected>17:00' in browser.page
    after = await choice_of(team, name)
    assert after.deliveries == before.deliveries | {Kind.LEAKED: Delivery.DAILY} and after.hour == 17
    for other in {"owner", "editor", "viewer"} - {name}:
        assert (await choice_of(team, other)).hour == 8


async def test_the_hour_is_in_the_time_zone_of_the_workspace(owner: Browser, team: Team) -> None:
    await workspaces.update(team.owner, team.slug, timezone="Europe/Berlin")
    await owner.open(CHOICE)
    assert "In the time zone of the workspace, Europe/Berlin." in owner.page


@pytest.mark.parametrize("fields", [{"LEAKED": "SOMETIMES"}, {"dailyHour": "24"}, {"dailyHour": "x"}])
async def test_what_no_page_offers_is_refused(viewer: Browser, team: Team, fields: dict[str, str]) -> None:
    await viewer.open(CHOICE)
    given = dict(viewer.form(CHOICE).values) | fields
    answer = await viewer.post(CHOICE, given, **viewer.same_origin_headers)
    assert answer.status_code == 422 and 'aria-invalid="true"' in viewer.page
    assert (await choice_of(team, "viewer")).chosen == {}


async def test_a_choice_changed_in_another_window_is_not_overwritten(editor: Browser, team: Team) -> None:
    await editor.open(CHOICE)
    await mail_service.update(team.editor, team.slug, deliveries={Kind.EXPIRY: Delivery.NEVER})
    assert (await editor.send(CHOICE, dailyHour="3")).status_code == 409
    assert "Your choice was changed in another window." in editor.page and (await choice_of(team, "editor")).hour == 8
    assert (await editor.send(CHOICE, dailyHour="3")).status_code == 303 and (await choice_of(team, "editor")).hour == 3


async def test_the_audit_log_says_what_was_changed(owner: Browser, team: Team) -> None:
    await mail_service.update(team.viewer, team.slug, deliveries={Kind.LEAKED: Delivery.DAILY}, hour=9)
    await owner.open("/w/acme/settings/audit-log")
    assert "Changed which alerts “Viewer of acme” gets by e-mail: digest hour, leaked" in owner.page
