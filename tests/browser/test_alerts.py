"""Alerts in the browser: they come without a reload, with their evidence, and are resolved with one press."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.conftest import Application, Desk, Person


def test_an_attack_appears_without_a_reload_on_the_list_its_badge_and_the_page_of_the_key(
    ada: Person, desk: Desk, gateway: str
) -> None:
    secret = ada.create_key("Billing worker")
    ada.follow("I have copied the key")
    key_page = ada.page.url
    ada.open("/w/acme-pdf/alerts")
    live = ada.page.locator("#live")
    expect(live).to_contain_text("No open alerts.")
    loaded = ada.page.evaluate("() => performance.timeOrigin")
    for number in range(15):
        attacker = Application(desk, gateway, "curl", f"{20 + number}.9.9.9", secret, permission="template.write")
        assert attacker.calls() == "PERMISSION_DENIED"
    expect(live).to_contain_text("Failure spike")
    expect(live.locator("svg.compared")).to_be_visible()
    expect(ada.page.locator("#open-alerts")).to_have_text("1")
    assert ada.page.evaluate("() => performance.timeOrigin") == loaded
    ada.page.get_by_text("Evidence").click()
    expect(live).to_contain_text("20.9.9.0/24")

    ada.open("/w/acme-pdf")
    attention = ada.page.locator(".attention")
    expect(attention.get_by_role("listitem").filter(has_text="Billing worker")).to_contain_text("Failure spike")
    expect(attention).not_to_contain_text("Nothing needs attention.")
    ada.open(key_page)
    expect(ada.page.locator("main")).to_contain_text("1 open alert")
    ada.page.get_by_role("button", name="Resolve: Failure spike of Billing worker").click()
    expect(ada.page.locator("main")).to_contain_text("The alert is resolved.")
    expect(live).to_contain_text("No open alerts.")
    expect(ada.page.locator("#open-alerts")).to_be_hidden()
    expect(ada.page.get_by_role("table")).to_contain_text("Failure spike")


def test_a_rule_is_turned_off_for_a_key_and_on_again(ada: Person, desk: Desk) -> None:
    ada.create_key("Billing worker")
    ada.follow("I have copied the key")
    ada.page.get_by_role("button", name="Key works around the clock: Outside business hours").click()
    expect(ada.page.get_by_role("button", name="Turn on: Outside business hours")).to_be_visible()
    ada.page.get_by_role("button", name="Turn on: Outside business hours").click()
    expect(ada.page.get_by_role("button", name="Key works around the clock: Outside business hours")).to_be_visible()


def test_a_rule_that_an_owner_has_switched_on_suspends_an_attacked_key_until_it_is_resumed(
    ada: Person, desk: Desk, gateway: str
) -> None:
    secret = ada.create_key("Billing worker")
    owner = Application(desk, gateway, "billing", "198.51.100.7", secret)
    assert owner.calls() == "VALID"
    ada.open("/w/acme-pdf/alerts")
    ada.follow("Automatic suspension")
    ada.page.get_by_role("checkbox", name="Failure spike").check()
    ada.press("Save")
    expect(ada.page.locator("main")).to_contain_text("Saved.")
    expect(ada.page.get_by_role("checkbox", name="Failure spike")).to_be_checked()
    ada.open("/w/acme-pdf/alerts")
    for number in range(15):
        Application(desk, gateway, "curl", f"{20 + number}.9.9.9", secret, permission="template.write").calls()
    live = ada.page.locator("#live")
    expect(live).to_contain_text("Suspended automatically by this alert")
    assert owner.calls() == "SUSPENDED"
    ada.page.get_by_role("link", name="Resume: Billing worker").click()
    ada.press("Resume this key")
    expect(ada.page.locator("main")).not_to_contain_text("Suspended automatically by this alert")
    assert owner.calls() == "VALID"
    ada.open("/w/acme-pdf/alerts")
    expect(live).to_contain_text("This alert suspended the key automatically; the key was resumed.")
