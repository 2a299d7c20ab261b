"""Charts: keyboard, pointer and touch choose a bar; an update keeps it; without JavaScript a table has everything."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Application, Desk, Person

TODAY = re.compile(r", so far: 2 requests, 1 failed \(50%\)$")


@pytest.fixture
def used(ada: Person, desk: Desk, gateway: str) -> Application:
    """A key that was accepted once and refused once; its page is open."""
    billing = Application(desk, gateway, "billing", "203.0.113.9", ada.create_key("Server"))
    assert billing.calls() == "VALID"
    Application(desk, gateway, "billing", "203.0.113.9", billing.secret, permission="template.write").refusal()
    ada.follow("I have copied the key")
    expect(ada.page.locator(".chart .reading")).to_have_text(TODAY)
    return billing


def test_the_arrow_keys_choose_a_bar_and_read_out_its_figures(ada: Person, used: Application) -> None:
    reading, slider = ada.page.locator(".chart .reading"), ada.page.get_by_role("slider", name="Day of the chart")
    slider.focus()
    ada.page.keyboard.press("ArrowLeft")
    expect(reading).to_have_text(re.compile(r"^\w{3} \d+ \w{3} \d{4}: 0 requests$"))
    assert slider.get_attribute("aria-valuetext") == reading.text_content()
    ada.page.keyboard.press("Home")
    assert slider.input_value() == "0" and ada.page.locator("svg g.at").count() == 1
    ada.page.keyboard.press("End")
    expect(reading).to_have_text(TODAY)


def test_an_update_of_the_page_keeps_the_chosen_bar(ada: Person, used: Application) -> None:
    slider = ada.page.get_by_role("slider", name="Day of the chart")
    slider.focus()
    ada.page.keyboard.press("Home")
    chosen = ada.page.locator(".chart .reading").text_content() or ""
    assert used.calls() == "VALID"
    expect(ada.page.locator("#live")).to_contain_text("2 successful")
    expect(ada.page.locator(".chart .reading")).to_have_text(chosen)
    expect(slider).to_be_focused()
    ada.page.keyboard.press("End")
    expect(ada.page.locator(".chart .reading")).to_contain_text("so far: 3 requests, 1 failed (33.3%)")


def test_a_pointer_and_a_finger_ask_the_bar_under_them(ada: Person, used: Application) -> None:
    _point(ada.page)
    browser = ada.context.browser
    assert browser is not None
    context = browser.new_context(storage_state=ada.context.storage_state(), has_touch=True, viewport={"width": 360, "height": 800})
    page = context.new_page()
    page.goto(ada.page.url)
    page.locator(".cursor").scroll_into_view_if_needed()
    box = page.locator(".cursor").bounding_box()
    assert box is not None
    for day in (3, 17, 29, 0):
        page.touchscreen.tap(box["x"] + box["width"] * (day + 0.5) / 30, box["y"] + 40)
        expect(page.locator("svg g.at")).to_have_count(1)
        assert page.evaluate(CHOSEN) == day
    context.close()


CHOSEN = "() => [...document.querySelectorAll('.chart svg g:has(> title)')].findIndex((bar) => bar.matches('.at'))"


def _point(page: Page) -> None:
    page.locator(".cursor").scroll_into_view_if_needed()
    box = page.locator(".cursor").bounding_box()
    assert box is not None
    for day in (3, 17, 29, 0):
        page.mouse.move(box["x"] + box["width"] * (day + 0.5) / 30, box["y"] + 40)
        expect(page.locator("svg g.at")).to_have_count(1)
        assert page.evaluate(CHOSEN) == day


def test_without_javascript_the_table_has_the_figures_and_leads_to_the_hours_of_a_day(ada: Person, used: Application) -> None:
    browser = ada.context.browser
    assert browser is not None
    context = browser.new_context(storage_state=ada.context.storage_state(), java_script_enabled=False)
    page = context.new_page()
    page.goto(ada.page.url)
    page.get_by_text("Show as table").click()
    row = page.locator(".chart tbody tr")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("50%")
    row.get_by_role("link").click()
    expect(page.get_by_text("Hours are in UTC.")).to_be_visible()
    page.get_by_text("Show as table").click()
    expect(page.locator(".chart tbody tr")).to_have_count(1)
    context.close()
