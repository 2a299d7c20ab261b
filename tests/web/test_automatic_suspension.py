"""The page of automatic suspension, and what alerts and keys say of it, without scripts."""

from __future__ import annotations

import html
import re

import pytest

from app import database
from app.alerts import service as alerts
from app.alerts import suspension_service as suspension
from app.alerts.alert import Kind, Resolution
from app.clock import MINUTE
from app.keys import service as keys
from app.keys.key import ApiKey
from tests.alerts.test_automatic_suspension import NOW, newest, note, switch_on
from tests.conftest import Team, make_key
from tests.support.access import seen
from tests.web.conftest import Browser

ALERTS = "/w/acme/alerts"
SETTING = f"{ALERTS}/suspension"


@pytest.fixture(autouse=True)
async def stopped_clock(db: None) -> None:
    database.freeze(NOW)


@pytest.fixture
async def key(team: Team) -> ApiKey:
    return (await make_key(team, "Billing")).key


def text(browser: Browser) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", browser.page)).split())


async def chosen(team: Team) -> tuple[tuple[Kind, ...], int]:
    setting = await suspension.find(await seen(team.owner, team.slug))
    return setting.kinds, setting.most_a_day


async def test_the_page_shows_what_each_rule_would_have_suspended_before_it_is_switched_on(
    owner: Browser, team: Team, key: ApiKey
) -> None:
    other = (await make_key(team, "Reports")).key
    await note(key, NOW)
    await note(other, NOW + MINUTE)
    await owner.open(ALERTS)
    assert f'href="{SETTING}"' in owner.page
    await owner.open(SETTING)
    assert "it raised 2 alerts. It would have suspended a key 2 times ." in text(owner)
    assert text(owner).count("it raised no alert, so it would have suspended nothing.") == 4
    assert "Billing" in owner.page and "Reports" in owner.page and "checked" not in owner.page
    await owner.open(f"{SETTING}?limit=1")
    assert "suspended a key 1 time , and 1 time more without the limit of 1 a day" in text(owner)
    assert (
        text(owner).count("Not suspended, because of the daily limit") == 1
        and 'name="maxPerDay" min="1" max="100" value="1"' in owner.page
    )
    assert await chosen(team) == ((), 3), "looking changes nothing"


async def test_an_owner_switches_rules_on_and_off(owner: Browser, team: Team, key: ApiKey) -> None:
    await owner.open(SETTING)
    answer = await owner.send(SETTING, kinds=["UNEXPECTED_NETWORK", "DORMANT_KEY"], maxPerDay="5")
    assert answer.status_code == 303 and await chosen(team) == ((Kind.UNEXPECTED_NETWORK, Kind.DORMANT_KEY), 5)
    await owner.open(answer.headers["location"])
    assert "Saved." in owner.page and owner.page.count(" checked") == 2
    assert (await owner.send(SETTING, maxPerDay="5", kinds=[])).status_code == 303
    assert await chosen(team) == ((), 5)


@pytest.mark.parametrize(("fields", "words"), [
    ({"maxPerDay": "0"}, "Choose a number from 1 to 100."), ({"maxPerDay": "many"}, "Choose a number from 1 to 100."),
    ({"maxPerDay": "3", "kinds": ["NONSENSE"]}, "Choose from the offered rules."),
    ({"maxPerDay": "3", "kinds": ["EXPIRY"]}, "Expiry cannot suspend a key."),
])  # fmt: skip
async def test_what_is_wrong_is_said_at_its_field_and_the_input_stays(
    owner: Browser, team: Team, key: ApiKey, fields: dict[str, str], words: str
) -> None:
    await owner.open(SETTING)
    given = {"kinds": ["FAILURE_SPIKE"]} | fields
    assert (await owner.send(SETTING, **given)).status_code == 422
    assert words in owner.page and await chosen(team) == ((), 3)
    assert ('value="FAILURE_SPIKE" checked' in owner.page) is (given["kinds"] == ["FAILURE_SPIKE"])


async def test_a_setting_that_another_owner_has_changed_is_shown_and_not_overwritten(
    owner: Browser, team: Team, key: ApiKey
) -> None:
    await owner.open(SETTING)
    await switch_on(team, Kind.FAILURE_SPIKE, most=7)
    assert (await owner.send(SETTING, kinds=["DORMANT_KEY"], maxPerDay="3")).status_code == 409
    assert "1 rule suspends keys: failure spike, at most 7 within 24 hours" in text(owner)
    assert await chosen(team) == ((Kind.FAILURE_SPIKE,), 7)
    assert (await owner.send(SETTING, kinds=["DORMANT_KEY"], maxPerDay="3")).status_code == 303


async def test_only_owners_have_the_page(editor: Browser, viewer: Browser, team: Team, key: ApiKey) -> None:
    for browser in (editor, viewer):
        await browser.open(ALERTS)
        assert SETTING not in browser.page
        assert (await browser.open(SETTING)).status_code == 403
        csrf = {"csrf": dict(browser.form("/sign-out").values)["csrf"]}
        answer = await browser.post(SETTING, csrf | {"maxPerDay": "3"}, **browser.same_origin_headers)
        assert answer.status_code == 403


async def test_alert_and_key_say_who_suspended_and_offer_to_resume(
    editor: Browser, viewer: Browser, team: Team, key: ApiKey
) -> None:
    await switch_on(team)
    await note(key, NOW)
    address = f"/w/acme/settings/api-keys/{key.id}"
    for path in (ALERTS, address):
        await editor.open(path)
        assert "Suspended automatically by this alert" in editor.page and f'href="{address}/suspension"' in editor.page
        assert ">Resume<" in editor.page and ">Suspend<" not in editor.page
        await viewer.open(path)
        assert "Suspended automatically by this alert" in viewer.page and "Resume</a>" not in viewer.page
    await editor.open(f"{address}/suspension")
    await editor.send(f"{address}/suspension")
    assert (await keys.get(team.viewer, key.id)).suspended_at is None
    await editor.open(ALERTS)
    assert "This alert suspended the key automatically; the key was resumed." in editor.page and ">Suspend<" in editor.page
    await editor.open(address)
    assert "Suspended automatically by this alert" not in editor.page


async def test_a_resolved_alert_still_says_that_it_suspended_the_key(editor: Browser, team: Team, key: ApiKey) -> None:
    await switch_on(team)
    await note(key, NOW)
    await alerts.resolve(team.editor, (await newest(team, key)).id, Resolution.HANDLED)
    await editor.open(ALERTS)
    past = editor.page.split("Past alerts")[1]
    assert "Suspended automatically by this alert" in past and ">Resume<" in past


async def test_an_alert_says_that_the_daily_limit_was_reached(viewer: Browser, team: Team, key: ApiKey) -> None:
    await switch_on(team, most=1)
    await note(key, NOW)
    await note((await make_key(team, "Reports")).key, NOW + MINUTE)
    await viewer.open(ALERTS)
    assert "Not suspended: the daily limit of automatic suspensions was reached." in viewer.page


async def test_the_audit_log_says_why(owner: Browser, team: Team, key: ApiKey) -> None:
    await switch_on(team)
    await note(key, NOW)
    await owner.open("/w/acme/settings/audit-log")
    assert "Suspended the API key “Billing” “By the alert Unexpected network”" in text(owner)
    assert "Changed the rules of automatic suspension" in text(owner) and "Changed the daily limit of" not in text(owner)
