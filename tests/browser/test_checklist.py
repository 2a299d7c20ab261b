"""The checklist of the demo's workspace: each item changes when its cause is mended, and the page is accessible at every width."""

from __future__ import annotations

import contextlib
import re
import sqlite3
import time
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, expect

from app.clock import DAY, HOUR
from tests.browser.conftest import Desk, Person

CHECKLIST = "/w/acme/checklist"
TOO_WIDE = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture
def demo(chromium: Browser, desk: Desk) -> Iterator[Person]:
    """The demo's owner, signed in."""
    password = desk.run("demo").splitlines()[-1]
    person = Person.open_browser(chromium, desk.url)
    person.open("/sign-in")
    person.fill(email="ada@example.com", password=password)
    person.press("Sign in")
    person.page.wait_for_url("**/w/acme")
    yield person
    person.context.close()
    assert person.complaints == []


def item(person: Person, slug: str) -> Locator:
    return person.page.locator(f"#{slug}")


def expect_met(person: Person, met: int, *slugs: str) -> None:
    """So many items are met, and among them these."""
    person.open(CHECKLIST)
    expect(person.page.locator(".meter")).to_contain_text(f"{met} of 8 items are met")
    for slug in slugs:
        expect(item(person, slug).locator(".tag").first).to_have_text("Met")


def expect_broken(person: Person, met: int, slug: str, words: str) -> None:
    """So many items are met, and this one is not because of these words."""
    expect_met(person, met)
    expect(item(person, slug).locator(".tag").first).to_have_text("Not met")
    expect(item(person, slug)).to_contain_text(words)


def change(desk: Desk, *statements: str) -> None:
    """Changes the database in ways that take time, or an older catalogue."""
    path = desk.environment["KEYDESK_DATABASE_URL"].removeprefix("sqlite:///")
    with contextlib.closing(sqlite3.connect(path, timeout=30)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def test_each_item_changes_when_its_cause_is_mended(demo: Person, desk: Desk) -> None:
    expect_broken(demo, 3, "least-permissions", "2 keys have permissions that nothing used")
    expect(demo.page.locator("section[id]")).to_have_count(5)
    for name, left in (("Invoices (old server)", "1 key has permissions"), ("Template editor, Ada's machine", "")):
        demo.page.get_by_role("link", name=f"Trim: {name}").click()
        demo.page.get_by_role("heading", name="Remove unused permissions").wait_for()
        demo.press("Remove the selected permissions")
        demo.page.get_by_text("The unused permissions are removed.").wait_for()
        expect(item(demo, "least-permissions")).to_contain_text(left or "Each permission of a key was used")
    expect_met(demo, 4, "least-permissions")

    expect_broken(demo, 4, "production-rotated", "1 production key is past the date")
    demo.page.get_by_role("link", name="Rotate: Invoices (old server)").click()
    demo.press("Create the new key")
    demo.page.locator("#secret").wait_for()
    expect_met(demo, 5, "production-rotated", "rotated-revoked")

    expect_broken(demo, 5, "usage-reviewed", "No member has opened the alerts")
    demo.follow("View alerts")
    demo.page.get_by_role("heading", name="Alerts", exact=True).wait_for()
    expect_met(demo, 6, "usage-reviewed")

    item(demo, "keys-out-of-code").get_by_role("button").click()
    demo.page.get_by_text("Confirmed. Your name and the time are in the audit log.").wait_for()
    expect_met(demo, 7, "keys-out-of-code")
    demo.page.get_by_label("Link to the process").fill("https://user:word@wiki.example.com/leaks")
    item(demo, "compromise-process").get_by_role("button").click()
    expect(demo.page.locator(".fault")).to_contain_text("This is not a link of the form")
    demo.page.get_by_label("Link to the process").fill("https://wiki.example.com/leaks")
    item(demo, "compromise-process").get_by_role("button").click()
    expect(demo.page.get_by_role("link", name="The process")).to_have_attribute("href", "https://wiki.example.com/leaks")
    expect_met(demo, 8, "compromise-process")
    demo.open("/w/acme")
    expect(demo.page.locator("main")).to_contain_text("Every item is met.")

    # What only time or an older catalogue breaks.
    now = time.time_ns() // 1000
    change(desk, "UPDATE api_key SET expires_at = NULL WHERE environment = 'temporary'")
    expect_broken(demo, 7, "temporary-expiring", "It never expires")
    item(demo, "temporary-expiring").get_by_role("link", name=re.compile("Set expiry")).click()
    demo.page.locator("[name=lifetime][value=date]").check()
    demo.page.get_by_label("Date and time").fill(time.strftime("%Y-%m-%dT%H:%M", time.gmtime(now / 1_000_000 + 5 * 86_400)))
    demo.press("Save")
    demo.page.get_by_text("Saved.").wait_for()
    expect_met(demo, 8, "temporary-expiring")

    change(desk, f"UPDATE rotation SET deadline = {now - DAY} WHERE started_at < {now - DAY}")
    expect_broken(demo, 7, "rotated-revoked", "1 old key still works after the deadline")
    demo.page.get_by_role("link", name="Finish rotation: Shop checkout").click()
    demo.press("Revoke the old key now")
    demo.press("Revoke the old key anyway")
    demo.page.get_by_text("The old key is revoked; the new key has replaced it.").wait_for()
    expect_met(demo, 8, "rotated-revoked")

    hour = now - now % HOUR
    refused = f"SELECT id, {hour}, 'pdf.read', 'ENVIRONMENT_NOT_ALLOWED', 3 FROM api_key WHERE name = 'Monthly reports'"
    change(desk, f"INSERT INTO usage_hour (key, hour, permission, outcome, requests) {refused}")
    expect_broken(demo, 7, "environments-separated", "1 key was refused in another environment")
    item(demo, "environments-separated").get_by_role("link", name="Monthly reports").click()
    demo.page.get_by_label("More actions").click()
    demo.follow("Revoke")
    demo.page.get_by_text("No longer needed").click()
    demo.page.get_by_role("button", name=re.compile("^Revoke this key")).click()
    demo.page.get_by_text("Revoked", exact=True).first.wait_for()
    expect_met(demo, 8, "environments-separated")


def test_the_pages_are_accessible_in_both_themes_at_every_width(demo: Person, desk: Desk) -> None:
    demo.open(CHECKLIST)
    trim = str(demo.page.get_by_role("link", name=re.compile("^Trim")).first.get_attribute("href"))
    wrong = faults(demo, CHECKLIST, f"{CHECKLIST}?item=least-permissions", trim)
    demo.open(CHECKLIST)
    item(demo, "keys-out-of-code").get_by_role("button").click()
    demo.page.get_by_text("Confirmed. Your name and the time are in the audit log.").wait_for()
    assert wrong + faults(demo, CHECKLIST) == []


def faults(person: Person, *paths: str) -> list[str]:
    """What axe finds on these pages, with everything opened, and how much they are too wide."""
    wrong: list[str] = []
    for path in paths:
        person.open(path)
        person.page.evaluate("() => document.querySelectorAll('main details').forEach((each) => { each.open = true; })")
        for width in (320, 360, 768, 1440):
            person.page.set_viewport_size({"width": width, "height": 900})
            if (over := person.page.evaluate(TOO_WIDE)) > 0:
                wrong.append(f"{path} at {width} is {over} px too wide")
            for scheme in ("light", "dark"):
                # Without motion, so that no color is still changing when axe looks.
                person.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
                found = Axe().run(person.page).response["violations"]
                wrong += [
                    f"{path}, {width}, {scheme}: {each['id']} {[node['target'] for node in each['nodes']][:3]}" for each in found
                ]
    return wrong
