"""The search as a dialog, and keyboard shortcuts."""

from __future__ import annotations

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, expect

from tests.browser.conftest import Application, Desk, Person

KEYS = "/w/acme-pdf/settings/api-keys"


def palette(person: Person) -> Locator:
    return person.page.get_by_role("dialog", name="Search")


def search(person: Person, text: str) -> Locator:
    """Opens the dialog, types the text, and returns the results."""
    person.page.wait_for_load_state()
    person.page.keyboard.press("Control+K")
    expect(person.page.get_by_role("combobox")).to_be_focused()
    person.page.keyboard.type(text)
    return palette(person).get_by_role("option")


def test_a_key_its_requests_and_its_callers_are_found_with_the_keyboard_alone(ada: Person, desk: Desk, gateway: str) -> None:
    secret = ada.create_key("Invoicing worker")
    request = Application(desk, gateway, "cron", "198.51.100.7", secret, permission="template.write").refusal()
    ada.open("/w/acme-pdf")
    options = search(ada, "invoicing")
    expect(options).to_have_count(1)
    expect(options).to_contain_text("Invoicing worker")
    expect(ada.page.get_by_role("combobox")).to_have_attribute("aria-activedescendant", "hit-1")
    ada.page.keyboard.press("Enter")
    ada.page.wait_for_url(re.compile(rf"{KEYS}/key_\w+$"))
    search(ada, request)
    # Enter waits for the results of what was typed.
    ada.page.keyboard.press("Enter")
    ada.page.wait_for_url(f"**/w/acme-pdf/requests/{request}")
    expect(search(ada, "198.51.100.7").filter(has_text="used by 198.51.100.0/24")).to_have_count(1)
    ada.page.keyboard.press("Escape")
    expect(palette(ada)).to_be_hidden()


def test_a_complete_key_in_the_search_is_cut_to_its_prefix_before_it_is_sent(ada: Person, desk: Desk) -> None:
    secret = ada.create_key("Invoicing worker")
    asked: list[str] = []
    ada.page.on("request", lambda request: asked.append(request.url))
    ada.open("/w/acme-pdf")
    search(ada, "")
    ada.page.get_by_role("combobox").fill(secret)
    expect(palette(ada).get_by_role("option")).to_have_text([re.compile("Invoicing worker")])
    assert [url for url in asked if secret[12:] in url] == []


def test_arrow_keys_choose_a_result_and_enter_opens_it(ada: Person) -> None:
    ada.open("/w/acme-pdf")
    options = search(ada, "new")
    others = ["Create management key", "Create webhook", "Invite a member", "Create workspace"]
    expect(options).to_have_text([re.compile(r"Create API key"), *others])
    for pressed, chosen in (("ArrowDown", 1), ("ArrowDown", 2), ("ArrowUp", 1), ("ArrowUp", 0), ("ArrowUp", 4), ("ArrowDown", 0)):
        ada.page.keyboard.press(pressed)
        expect(options.nth(chosen)).to_have_attribute("aria-selected", "true")
        expect(palette(ada).locator("[aria-selected=true]")).to_have_count(1)
    ada.page.keyboard.press("Enter")
    ada.page.wait_for_url(f"**{KEYS}/new")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1440])
def test_both_dialogs_are_accessible_and_fit(ada: Person, scheme: str, width: int) -> None:
    ada.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    ada.page.set_viewport_size({"width": width, "height": 700})
    ada.open("/w/acme-pdf")
    expect(search(ada, "").first).to_be_visible()
    wrong = faults(ada)
    ada.page.keyboard.type("nothing has this name")
    expect(palette(ada).get_by_role("status")).to_have_text("No results.")
    wrong += faults(ada)
    ada.page.keyboard.press("Escape")
    ada.page.keyboard.press("?")
    expect(ada.page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    assert wrong + faults(ada) == []


def faults(person: Person) -> list[str]:
    sideways = person.page.evaluate(
        "() => [...document.querySelectorAll('dialog[open]')].some((d) => d.scrollWidth > d.clientWidth)"
    )
    return [each["id"] for each in Axe().run(person.page).response["violations"]] + (["sideways"] if sideways else [])


def test_shortcuts_lead_to_pages_and_the_search(ada: Person) -> None:
    ada.open("/w/acme-pdf")
    for pressed, path in (("gk", KEYS), ("ga", "/w/acme-pdf/alerts"), ("gm", "/w/acme-pdf/settings/members"), ("c", f"{KEYS}/new")):
        ada.page.wait_for_load_state()
        ada.page.keyboard.type(pressed)
        ada.page.wait_for_url(f"**{path}")
    ada.open("/w/acme-pdf/settings/audit-log")
    ada.page.keyboard.press("/")
    expect(ada.page.locator("main input[type=search]")).to_be_focused()
    expect(ada.page.locator("main input[type=search]")).to_have_value("")
    ada.open("/w/acme-pdf")
    ada.page.keyboard.press("/")
    expect(ada.page.get_by_role("combobox")).to_be_focused()
    expect(ada.page.get_by_role("combobox")).to_have_value("")


def test_shortcuts_never_lose_what_was_typed_or_a_secret(ada: Person) -> None:
    ada.open(f"{KEYS}/new")
    ada.page.locator("[name=name]").press_sequentially("gk c?/")
    expect(ada.page.locator("[name=name]")).to_have_value("gk c?/")
    ada.page.locator("h1").click()
    ada.page.keyboard.type("gk")
    expect(ada.page.locator("[name=name]")).to_have_value("gk c?/")
    secret = ada.create_key("Worker")
    ada.page.keyboard.type("gk")
    ada.page.keyboard.press("?")
    expect(ada.page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    ada.page.keyboard.press("Escape")
    expect(ada.page.locator("#secret")).to_have_text(secret)


def test_shortcuts_of_single_keys_can_be_turned_off(ada: Person) -> None:
    ada.open("/w/acme-pdf")
    ada.page.keyboard.press("?")
    ada.page.get_by_label("Shortcuts without Ctrl or ⌘").uncheck()
    ada.press("Close")
    ada.open("/w/acme-pdf")
    ada.page.keyboard.type("c?gk/")
    expect(search(ada, "members").first).to_be_visible()
    expect(ada.page).to_have_url(re.compile(r"/w/acme-pdf$"))
    assert ada.page.evaluate("() => Object.entries(localStorage)") == [["keydesk-single-keys", "off"]]
    assert ada.page.locator("#single-keys").is_checked() is False


def test_a_session_that_ended_leads_to_the_sign_in(ada: Person) -> None:
    ada.open("/w/acme-pdf")
    expect(search(ada, "").first).to_be_visible()
    ada.context.clear_cookies()
    ada.page.keyboard.type("invoicing")
    ada.page.wait_for_url("**/sign-in?**")


def test_without_script_the_search_is_a_page(ada: Person, desk: Desk) -> None:
    ada.create_key("Invoicing worker")
    browser = ada.context.browser
    assert browser is not None
    plain = Person.open_browser(browser, desk.url, java_script_enabled=False, storage_state=ada.context.storage_state())
    plain.open("/w/acme-pdf")
    plain.follow("Search")
    plain.page.get_by_role("searchbox").fill("invoicing")
    plain.page.get_by_role("main").get_by_role("button", name="Search").click()
    plain.page.locator("section.hits a").click()
    expect(plain.page.get_by_role("heading", level=1)).to_contain_text("Invoicing worker")
    plain.context.close()


def test_the_navigation_stays_and_long_workspace_names_end_with_a_whole_line(ada: Person) -> None:
    ada.open("/w/acme-pdf/settings/workspace")
    ada.fill(name="Northern region billing and invoicing department, second shift of the old building")
    ada.press("Save")
    ada.page.get_by_text("Saved.").wait_for()
    ada.page.set_viewport_size({"width": 1440, "height": 500})
    ada.page.evaluate("() => scrollTo(0, document.documentElement.scrollHeight)")
    name = ada.page.locator(".side .switcher summary .clip")
    expect(name).to_be_in_viewport()
    expect(ada.page.get_by_role("link", name="Overview")).to_be_in_viewport()
    lines = name.evaluate("(e) => e.getBoundingClientRect().height / parseFloat(getComputedStyle(e).lineHeight)")
    assert lines == pytest.approx(2, abs=0.1)
    # The box around it has no room in which a part of a third line could show.
    assert name.evaluate("(e) => e.scrollHeight > e.clientHeight && getComputedStyle(e).paddingBottom === '0px'")
    expect(ada.page.locator(".side .switcher summary")).to_have_attribute("title", re.compile("old building$"))
