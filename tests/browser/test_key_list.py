"""The list of keys: one or two lines a key, a row that is a link, and a menu that works by keyboard and without JavaScript."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Application, Desk, Person
from tests.browser.test_widths import SIDEWAYS

LIST = "/w/acme-pdf/settings/api-keys"
LONG = "Billing worker of the northern region, second shift, with averyverylongnamethatgoesonandonandonandon"[:100]
HEIGHTS = "() => [...document.querySelectorAll('#keys tbody tr')].map((row) => row.getBoundingClientRect().height)"


@pytest.fixture
def many(ada: Person, desk: Desk, gateway: str) -> list[str]:
    """Keys with long names, one suspended, one used and rotated; returns their ids, oldest first."""
    desk.run("set-plan", "acme-pdf", "growth")
    token = desk.run("management-key", "create", "--workspace", "acme-pdf", "--scopes", "keys.write", "--expires", "1d")
    permissions = ["pdf.generate", "pdf.read", "template.read"]
    made = [
        desk.graphql(token, "keys/create", name=name, environment="development", permissions=permissions)
        for name in (LONG, "x" * 100, "Short", "Reports")
    ]
    Application(desk, gateway, "invoice-worker", "203.0.113.9", made[2]["secret"]).calls()
    found = [str(each["apiKey"]["id"]) for each in made]
    desk.graphql(token, "keys/suspend", id=found[1])
    desk.graphql(token, "rotations/start", id=found[2])
    return found


def test_a_row_is_at_most_56_pixels_high_at_every_width(ada: Person, many: list[str]) -> None:
    for query in ("", "?sort=rotate"):
        ada.open(LIST + query)
        for width in (320, 360, 480, 640, 768, 1024, 1280, 1440):
            ada.page.set_viewport_size({"width": width, "height": 900})
            heights = ada.page.evaluate(HEIGHTS)
            assert len(heights) == 5 and max(heights) <= 56, (width, query, heights)


def test_the_filters_are_one_line_beside_the_search(ada: Person, many: list[str]) -> None:
    ada.open(LIST)
    for width in (1024, 1280, 1440):
        ada.page.set_viewport_size({"width": width, "height": 900})
        tops = ada.page.evaluate(
            "() => [...document.querySelectorAll('.filters :is(input, select)')].map((each) => each.offsetTop)"
        )
        assert len({top for top in tops if top}) == 1, width


def test_on_a_phone_the_filters_are_one_line_that_scrolls_inside_itself(ada: Person, many: list[str]) -> None:
    ada.open(f"{LIST}?status=active")
    for width in (480, 360, 320):
        ada.page.set_viewport_size({"width": width, "height": 900})
        box = ada.page.locator(".narrowing").bounding_box()
        assert box is not None and box["height"] <= 48 and box["x"] + box["width"] <= width, (width, box)
        assert ada.page.evaluate(SIDEWAYS) == []
    expect(ada.page.get_by_label("Sort by")).not_to_be_in_viewport()
    ada.page.get_by_label("Sort by").focus()
    expect(ada.page.get_by_label("Sort by")).to_be_in_viewport()
    ada.page.get_by_label("Sort by").select_option("name")
    expect(ada.page).to_have_url(re.compile("sort=name"))


def test_the_whole_row_leads_to_its_key_and_its_menu_does_not(ada: Person, many: list[str]) -> None:
    ada.open(LIST)
    row = ada.page.locator(f"#{many[3]}")
    row.get_by_label("Actions for Reports").click()
    expect(row.get_by_role("link", name="Rotate")).to_be_visible()
    expect(ada.page).to_have_url(re.compile("api-keys$"))
    box = ada.page.locator(f"#{many[0]} td.last").bounding_box()
    assert box is not None
    ada.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(ada.page).to_have_url(re.compile(f"/{many[0]}$"))


def test_the_menu_of_a_row_works_by_keyboard(ada: Person, many: list[str]) -> None:
    ada.open(LIST)
    row = ada.page.locator(f"#{many[3]}")
    row.get_by_role("link", name="Reports").focus()
    ada.page.keyboard.press("Tab")
    menu = row.get_by_label("Actions for Reports")
    expect(menu).to_be_focused()
    ada.page.keyboard.press("Enter")
    ada.page.keyboard.press("Tab")
    expect(row.get_by_role("link", name="Rotate")).to_be_focused()
    ada.page.keyboard.press("Escape")
    expect(menu).to_be_focused()
    expect(row.get_by_role("link", name="Rotate")).to_be_hidden()
    ada.page.keyboard.press("Enter")
    ada.page.keyboard.press("Shift+Tab")
    expect(row.get_by_role("link", name="Rotate")).to_be_hidden()
    ada.page.keyboard.press("Tab")
    ada.page.keyboard.press("Enter")
    for _ in range(4):
        ada.page.keyboard.press("Tab")
    ada.page.keyboard.press("Enter")
    expect(ada.page).to_have_url(re.compile(f"/{many[3]}/revocation$"))


def test_without_javascript_the_menu_and_the_search_work(ada: Person, many: list[str]) -> None:
    browser = ada.context.browser
    assert browser is not None
    context = browser.new_context(storage_state=ada.context.storage_state(), java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{ada.url}{LIST}?q=invoice-worker")
    expect(page.locator("#keys tbody tr")).to_have_count(2)
    page.goto(ada.url + LIST)
    page.locator(f"#{many[3]}").get_by_label("Actions for Reports").click()
    page.locator(f"#{many[3]}").get_by_role("link", name="Suspend").click()
    expect(page).to_have_url(re.compile(f"/{many[3]}/suspension$"))
    context.close()


@pytest.mark.parametrize("with_script", [True, False])
def test_several_keys_are_selected_confirmed_and_suspended(ada: Person, desk: Desk, many: list[str], with_script: bool) -> None:
    browser = ada.context.browser
    assert browser is not None
    context = browser.new_context(storage_state=ada.context.storage_state(), java_script_enabled=with_script)
    page = context.new_page()
    page.goto(ada.url + LIST)
    bar = page.locator("#bulk")
    expect(bar).to_be_hidden()
    if with_script:
        page.get_by_label("Select all keys of this page").check()
        expect(bar).to_contain_text("5 selected")
        page.get_by_label("Select all keys of this page").uncheck()
        expect(bar).to_be_hidden()
        page.get_by_label("Select Reports").focus()
        page.keyboard.press("Space")
    else:
        page.get_by_label("Select Reports").check()
    page.locator(f"#{many[2]}").get_by_role("checkbox").check()
    bar.get_by_role("button", name="Suspend").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Suspend 2 keys")
    expect(page.locator(".note")).to_contain_text("1 key is in use: Short")
    expect(page.get_by_role("checkbox", name="Short")).not_to_be_checked()
    page.get_by_role("checkbox", name="Short").check()
    page.get_by_role("button", name="Suspend the selected keys").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("2 keys suspended")
    page.get_by_role("link", name="Back to API keys").click()
    expect(page.locator("#keys .tag").get_by_text("Suspended", exact=True)).to_have_count(3)
    context.close()


def test_a_double_click_rotates_several_keys_once_and_shows_their_secrets(ada: Person, many: list[str]) -> None:
    ada.open(f"{LIST}/bulk/rotation?key={many[0]}&key={many[3]}&key={many[1]}")
    ada.page.get_by_role("button", name="Rotate the selected keys").dblclick()
    expect(ada.page.get_by_role("heading", level=1)).to_have_text("2 of 3 keys being rotated")
    expect(ada.page.locator("[data-secret]")).to_have_count(2)
    ada.page.wait_for_load_state("networkidle")
    expect(ada.page.locator("[data-secret]")).to_have_count(2)
    expect(ada.page.locator("main")).to_contain_text("only an active key can be rotated")
    ada.page.set_viewport_size({"width": 320, "height": 900})
    assert ada.page.evaluate(SIDEWAYS) == []
    ada.open(LIST)
    expect(ada.page.locator("#keys tbody tr.new")).to_have_count(3)
