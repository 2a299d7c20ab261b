"""Creating a key and the browser's buttons: Back restores the input, Reload after the secret shows the key."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Desk, Person

NEW = "/w/acme-pdf/settings/api-keys/new"


@pytest.fixture(params=["with JavaScript", "without JavaScript"])
def person(request: pytest.FixtureRequest, ada: Person, desk: Desk) -> Person:
    if request.param == "with JavaScript":
        return ada
    assert ada.context.browser is not None
    plain = ada.context.browser.new_context(java_script_enabled=False, storage_state=ada.context.storage_state())
    return Person(plain, plain.new_page(), desk.url)


def filled(person: Person) -> None:
    person.open(NEW)
    person.fill(name="Frames", allowedIps="203.0.113.9")
    person.page.locator("[name=environment][value=staging]").check()
    person.page.locator("[name=permissions][value='pdf.read']").check()
    person.press("Review")
    expect(person.page.get_by_role("heading", name="Create “Frames”?")).to_be_visible()


def expect_filled(person: Person) -> None:
    expect(person.page.locator("[name=name]")).to_have_value("Frames")
    expect(person.page.locator("[name=allowedIps]")).to_have_value("203.0.113.9")
    expect(person.page.locator("[name=environment][value=staging]")).to_be_checked()
    expect(person.page.locator("[name=permissions][value='pdf.read']")).to_be_checked()


def test_back_from_the_review_restores_the_input_and_forward_and_reload_show_the_review(person: Person, ada: Person) -> None:
    filled(person)
    person.page.reload()
    expect(person.page.get_by_role("heading", name="Create “Frames”?")).to_be_visible()
    person.page.go_back()
    if person is ada:  # Without JavaScript only the browser could restore it, and Chromium does not for pages with no-store.
        expect_filled(person)
    person.page.go_forward()
    expect(person.page.get_by_role("heading", name="Create “Frames”?")).to_be_visible()
    person.page.get_by_role("link", name="Change something", exact=True).click()
    expect_filled(person)


def test_reload_after_the_secret_shows_the_keys_page_and_back_creates_no_second_key(person: Person) -> None:
    filled(person)
    person.press("Create API key")
    expect(person.page.locator("#secret")).to_be_visible()
    secret = person.page.locator("#secret").text_content() or ""
    person.page.reload()
    expect(person.page.get_by_role("heading", name="Frames", exact=True)).to_be_visible()
    expect(person.page.get_by_text("Its secret was shown once")).to_be_visible()
    assert secret.strip()[12:] not in person.page.content()
    person.page.go_back()
    onward = person.page.get_by_role("button", name=re.compile("^(Review|Create API key)$"))
    if onward.text_content() == "Review":
        onward.click()
    person.press("Create API key")
    expect(person.page.get_by_text("Its secret was shown once")).to_be_visible()
    person.open("/w/acme-pdf/settings/api-keys")
    expect(person.page.get_by_role("link", name="Frames", exact=True)).to_have_count(1)
