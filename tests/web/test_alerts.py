"""The alert list and its badge, the calendar link, the schedule in list and overview, and the chart of expiry days."""

from __future__ import annotations

import html
import re
from collections.abc import Callable

import pytest

from app import catalogue, clock, database
from app.access.actor import Actor
from app.alerts import service as alerts
from app.clock import DAY, HOUR, MINUTE
from app.keys import service as keys
from app.keys.key import ApiKey, Reason
from app.plans import service as plans
from app.rotations import service as rotations
from app.workspaces import service as workspaces
from tests.conftest import Team, make_key, make_team
from tests.support.alerts import raise_alert
from tests.support.statements import counted
from tests.web.conftest import Browser, rows, signed_in
from tests.web.test_keys import names

ALERTS = "/w/acme/alerts"
CALENDAR = "/w/acme/settings/calendar"
LIST = "/w/acme/settings/api-keys"
NOW = 1_793_000_000_000_000


@pytest.fixture(autouse=True)
async def clock_stands(db: None) -> None:
    database.freeze(NOW)


async def key_due(team: Team, in_days: int, name: str = "Billing") -> ApiKey:
    """A production key that is due for rotation in so many days."""
    every = catalogue.current().environments["production"].rotate_every_days or 0
    database.freeze(NOW + (in_days - every) * DAY)
    made = (await make_key(team, name)).key
    database.freeze(NOW)
    return made


def badge(browser: Browser) -> str | None:
    found = re.findall(r'class="count"[^>]*open">(\d+)<', browser.page)
    return found[0] if found else None


def buttons(browser: Browser, key: ApiKey) -> list[str]:
    return re.findall(rf'class="button[^"]*" href="{LIST}/{key.id}/(\w+)"', browser.page)


async def test_an_alert_names_its_key_and_the_possible_actions(editor: Browser, team: Team) -> None:
    due = await key_due(team, 6)
    ending = (await make_key(team, "Visitor", environment="development", expires_at=NOW + 20 * HOUR)).key
    over = await key_due(team, -3, "Old")
    late = (await make_key(team, "Slow")).key
    await rotations.start(team.editor, late.id, deadline=NOW + MINUTE)
    database.freeze(NOW + MINUTE)
    await alerts.run(NOW + MINUTE)
    await editor.open(ALERTS)
    assert badge(editor) == "4"
    for words in ("Rotate in 5 days", "Expires in 19 hours", "Rotation overdue", "Deadline passed"):
        assert words in editor.page
    assert buttons(editor, due) == buttons(editor, over) == ["rotation", "revocation"]
    assert buttons(editor, ending) == ["edit", "revocation"]
    assert buttons(editor, late) == ["rotation"]
    for key, way in ((due, "rotation"), (ending, "edit"), (late, "rotation"), (due, "revocation")):
        assert (await editor.open(f"{LIST}/{key.id}/{way}")).status_code == 200


async def test_a_viewer_reads_them_without_buttons(viewer: Browser, team: Team) -> None:
    key = await key_due(team, 6)
    await alerts.run(NOW)
    await viewer.open(ALERTS)
    assert "Rotate in 6 days" in viewer.page and buttons(viewer, key) == []


async def test_alerts_resolve_by_themselves_and_stay_readable(editor: Browser, team: Team) -> None:
    rotated, extended, revoked = [await key_due(team, 6, name) for name in ("rotated", "extended", "revoked")]
    await keys.update(team.owner, extended.id, {"expires_at": NOW + 2 * DAY})
    await alerts.run(NOW)
    await editor.open("/w/acme")
    assert badge(editor) == "4"
    await rotations.start(team.editor, rotated.id)
    await keys.update(team.owner, extended.id, {"expires_at": None})
    await keys.revoke(team.owner, revoked.id, Reason.OTHER)
    await editor.open(ALERTS)
    assert badge(editor) == "1"
    opened, past = editor.page.split("Past alerts")
    assert [name for name in ("rotated", "extended", "revoked") if f">{name}<" in opened] == ["extended"]
    assert (past.count("Rotation due in 7 days"), past.count("Expiry in 7 days")) == (2, 1)
    assert ">Rotating<" in past and ">Revoked<" in past


async def test_an_empty_list_says_so(viewer: Browser, team: Team) -> None:
    await make_key(team)
    await alerts.run(NOW)
    await viewer.open(ALERTS)
    assert "No open alerts." in viewer.page and badge(viewer) is None


async def test_another_workspaces_alerts_are_not_here(owner: Browser, team: Team) -> None:
    await make_team("rival")
    assert (await owner.open("/w/rival/alerts")).status_code == 404


async def test_the_badge_takes_one_statement_for_any_number_of_alerts(owner: Browser, team: Team) -> None:
    async def asked() -> int:
        with counted() as seen:
            await owner.open("/w/acme/settings/plan")
        assert sum(" alert n " in text for text in seen) == 1
        return len(seen)

    before = await asked()
    for number in range(5):
        await key_due(team, 3, f"Key {number}")
    await alerts.run(NOW)
    assert await asked() == before and badge(owner) == "5"


async def test_days_on_which_many_keys_expire_are_drawn_and_listed(owner: Browser, team: Team) -> None:
    for number in range(3):
        await make_key(team, f"Visitor {number}", environment="development", expires_at=NOW + 20 * DAY + number * HOUR)
    await make_key(team, "Alone", environment="development", expires_at=NOW + 40 * DAY)
    await owner.open(ALERTS)
    assert "3 keys expire on 15 Nov 2026" in html.unescape(owner.page)
    figure = re.findall(r"<figure.*?</figure>", owner.page, re.S)[0]
    assert figure.count('class="bad-part"') == 1 and figure.count('class="good-part"') == 1
    assert re.findall(r'<td class="num">(\d)</td>', figure) == ["3", "1"]
    assert "3 keys expire on 15 Nov 2026" in (await owner.open("/w/acme")).text


async def test_two_keys_on_one_day_and_revoked_keys_are_not_listed(owner: Browser, team: Team) -> None:
    made = [await make_key(team, f"V{n}", environment="development", expires_at=NOW + 20 * DAY) for n in range(3)]
    await keys.revoke(team.owner, made[0].key.id, Reason.OTHER)
    assert "<figure" not in (await owner.open(ALERTS)).text
    assert "end on" not in (await owner.open("/w/acme")).text


async def test_a_day_is_that_of_the_workspaces_time_zone(owner: Browser, team: Team) -> None:
    await workspaces.update(team.owner, team.slug, timezone="Pacific/Auckland")
    for number in range(3):
        await make_key(team, f"V{number}", environment="development", expires_at=NOW + 20 * DAY + 6 * HOUR)
    await owner.open(ALERTS)
    assert "3 keys expire on 16 Nov 2026" in owner.page


async def test_the_list_is_filtered_by_the_schedule_and_sorted_by_it(viewer: Browser, team: Team) -> None:
    for name, days in (("late", -5), ("soon", 5), ("far", 50)):
        await key_due(team, days, name)
    await make_key(team, "never", environment="temporary", expires_at=NOW + DAY)
    for query, found in (
        ("rotation=overdue", ["late"]),
        ("rotation=due_soon", ["soon"]),
        ("rotation=not_due", ["far", "never"]),
        ("rotation=nonsense&sort=rotate", ["late", "soon", "far", "never"]),
        ("sort=rotate-last", ["never", "far", "soon", "late"]),
        ("rotation=not_due&environment=production", ["far"]),
    ):
        await viewer.open(f"{LIST}?{query}")
        assert (sorted(names(viewer)) if "sort" not in query else names(viewer)) == found, query
    assert "Rotate by" in viewer.page
    assert "Rotate by" not in (await viewer.open(LIST)).text.split("<table")[1]


async def test_sorted_by_the_schedule_pages_follow_each_other_without_gap_or_repeat(viewer: Browser, team: Team, db: None) -> None:
    async with database.transaction():
        await database.fetch("UPDATE workspace SET plan = 'scale_enterprise'")
    expected = [f"Key {n:02}" for n in range(60)]
    for number in range(58):
        await key_due(team, number // 3 - 5, expected[number])
    for number in (58, 59):
        await make_key(team, expected[number], environment="temporary", expires_at=NOW + DAY)
    path, seen = f"{LIST}?sort=rotate", []
    while path:
        await viewer.open(path)
        seen += names(viewer)
        path = html.unescape(next(iter(re.findall(r'rel="next" href="([^"]+)"', viewer.page)), ""))
    assert sorted(seen) == expected and [int(name[4:]) // 3 for name in seen[:57]] == [n // 3 for n in range(57)]


async def test_the_overview_shows_a_key_being_rotated_as_such(owner: Browser, team: Team) -> None:
    key = await key_due(team, -5)
    assert "Rotation overdue" in (await owner.open("/w/acme")).text
    await rotations.start(team.editor, key.id)
    page = (await owner.open("/w/acme")).text
    assert "Rotation overdue" not in page and ">Rotating<" in page


async def test_the_overview_has_each_key_once_with_what_can_be_done(editor: Browser, viewer: Browser, team: Team) -> None:
    overdue = await key_due(team, -5, "Old")
    attacked, suspended = (await make_key(team, "Attacked")).key, (await make_key(team, "Paused")).key
    rotating = await key_due(team, 3, "Moving")
    await rotations.start(team.editor, rotating.id)
    await keys.suspend(team.owner, suspended.id)
    await raise_alert(attacked)
    await alerts.run(NOW)
    await editor.open("/w/acme")
    page = editor.page.partition('<ul class="attention">')[2].partition("</ul>")[0]
    assert re.findall(r'<strong class="clip">(\w+)', page) == ["Attacked", "Old", "Moving", "Paused"]
    expected = {overdue: "rotation", attacked: "edit", rotating: "rotation", suspended: "suspension"}
    assert {key.id: path for key in expected for path in buttons(editor, key)} == {key.id: path for key, path in expected.items()}
    assert "open alerts</a>" in page and "Nothing needs attention." not in page
    await viewer.open("/w/acme")
    assert [buttons(viewer, key) for key in (overdue, attacked, suspended)] == [[], [], []]


async def test_a_full_plan_is_shown_at_the_meter_and_needs_no_attention(owner: Browser, team: Team) -> None:
    await plans.change_plan(Actor.operator(), team.slug, "free")
    await owner.open("/w/acme")
    assert "Compare plans" not in owner.page
    await make_key(team)
    await owner.open("/w/acme")
    assert 'href="/w/acme/settings/plan">Compare plans</a>' in owner.page and "Nothing needs attention." in owner.page


async def test_the_list_says_who_gets_its_alerts(owner: Browser, viewer: Browser, team: Team) -> None:
    for browser, webhooks in ((owner, True), (viewer, False)):
        await browser.open(ALERTS)
        assert "Every member gets them by e-mail" in browser.page
        assert ('href="/w/acme/settings/webhooks">webhooks</a> get them' in browser.page) is webhooks


async def link_of(browser: Browser) -> str:
    await browser.open(CALENDAR)
    answer = await browser.send(CALENDAR)
    assert answer.status_code == 201
    (found,) = re.findall(r'<code class="key" id="calendar" data-secret>([^<]+)</code>', answer.text)
    return html.unescape(found).removeprefix(browser.origin)


async def test_the_calendar_link_is_shown_once_and_works_without_a_session(editor: Browser, browser: Browser, team: Team) -> None:
    key = await key_due(team, 6)
    path = await link_of(editor)
    assert re.fullmatch(r"/calendar/[\w-]{43}\.ics", path)
    answer = await browser.open(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/calendar; charset=utf-8")
    assert answer.headers["cache-control"] == "no-store"
    assert f"UID:{key.id}-rotate-by@keydesk\r\n" in answer.text
    assert path not in (await editor.open(CALENDAR)).text
    stored = await database.fetch("SELECT digest FROM calendar_link")
    assert path.encode() not in bytes(stored[0]["digest"])


async def test_a_renewed_link_ends_the_one_before_and_a_withdrawn_one_ends(editor: Browser, browser: Browser, team: Team) -> None:
    first = await link_of(editor)
    second = await link_of(editor)
    assert [(await browser.open(path)).status_code for path in (first, second)] == [404, 200]
    await editor.open(CALENDAR)
    assert (await editor.send(f"{CALENDAR}/withdrawal")).status_code == 303
    assert (await browser.open(second)).status_code == 404
    entries = await database.fetch("SELECT action FROM audit_entry WHERE action LIKE 'calendar%' ORDER BY position")
    log = [row["action"] for row in entries]
    assert log == ["calendar_link.made", "calendar_link.made", "calendar_link.withdrawn"]


@pytest.mark.parametrize("name", ["x.ics", "x", ".ics", "%f0%9f%97%93.ics", "a" * 5000])
async def test_a_wrong_link_is_not_found(browser: Browser, team: Team, name: str) -> None:
    assert (await browser.open(f"/calendar/{name}")).status_code == 404


async def test_the_feed_accepts_no_other_method(editor: Browser, browser: Browser, team: Team) -> None:
    path = await link_of(editor)
    for method in ("POST", "PUT", "DELETE"):
        answer = await browser.client.request(method, path, headers={"origin": browser.origin, "sec-fetch-site": "same-origin"})
        assert answer.status_code == 405


async def test_the_link_ends_with_its_creators_rights(editor: Browser, browser: Browser, team: Team) -> None:
    path = await link_of(editor)
    await set_role(team, "viewer")
    assert (await browser.open(path)).status_code == 404
    await set_role(team, "owner")
    assert (await browser.open(path)).status_code == 200
    async with database.transaction():
        await database.fetch("DELETE FROM member WHERE account = {}", team.editor.id)
    assert (await browser.open(path)).status_code == 404


async def set_role(team: Team, role: str) -> None:
    async with database.transaction():
        await database.fetch("UPDATE member SET role = {} WHERE account = {}", role, team.editor.id)


async def test_a_viewer_cannot_create_a_link(viewer: Browser, team: Team) -> None:
    await viewer.open(CALENDAR)
    assert f'action="{CALENDAR}"' not in viewer.page
    csrf = {"csrf": dict(viewer.form("/sign-out").values)["csrf"]}
    for path in (CALENDAR, f"{CALENDAR}/withdrawal"):
        assert (await viewer.post(path, csrf, **viewer.same_origin_headers)).status_code == 403
    assert await rows("calendar_link") == 0


async def test_a_stranger_finds_neither_page(browse: Callable[..., Browser], team: Team, other_team: Team) -> None:
    stranger = await signed_in(browse(), other_team.owner)
    for path in (ALERTS, CALENDAR):
        assert (await stranger.open(path)).status_code == 404
        assert (await browse().open(path)).status_code == 303


async def test_the_day_of_a_rotation_is_the_one_on_the_key_page(editor: Browser, browser: Browser, team: Team) -> None:
    key = await key_due(team, 6)
    answer = await browser.open(await link_of(editor))
    by = clock.to_datetime(key.rotate_by(90) or 0)
    assert f"DTSTART;VALUE=DATE:{by:%Y%m%d}\r\n" in answer.text
    assert f"{by:%-d %b %Y}" in (await editor.open(f"{LIST}/{key.id}")).text


async def test_the_badge_of_an_open_page_follows_without_keeping_the_session_alive(viewer: Browser, team: Team) -> None:
    await viewer.open("/w/acme")
    (address,) = re.findall(r'id="open-alerts" hx-get="([^"]+)"', viewer.page)
    assert address == f"{ALERTS}/open?poll"
    seen = await rows("session")
    database.freeze(NOW + 10 * MINUTE)
    quiet = await viewer.open(address, **{"hx-request": "true"})
    assert 'aria-label="0 open" hidden' in quiet.text and "<html" not in quiet.text
    await raise_alert((await make_key(team)).key)
    raised = await viewer.open(address, **{"hx-request": "true"})
    assert 'aria-label="1 open">1</span>' in raised.text and f'hx-get="{address}"' in raised.text
    assert await rows("session") == seen
    # A reader who opens its address sees the list.
    assert (await viewer.open(f"{ALERTS}/open")).headers["location"] == ALERTS
