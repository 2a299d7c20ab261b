"""A session that was renewed in another tab or has ended: the input in this tab is kept and can be submitted."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import EMAIL, PASSWORD, Person
from tests.browser.test_pages import TOO_WIDE


def _sign_in_again(other: Page) -> None:
    other.goto(other.url.partition("/w/")[0] + "/account")
    other.evaluate("document.querySelector('form[action=\"/sign-out\"]').submit()")
    other.wait_for_url("**/sign-in")
    other.locator("[name=email]").fill(EMAIL)
    other.locator("[name=password]").fill(PASSWORD)
    other.get_by_role("button", name="Sign in", exact=True).click()
    other.wait_for_url("**/w/**")


def _confirm(other: Page) -> None:
    other.goto(other.url.partition("/w/")[0] + "/account/confirm?next=/account")
    other.locator("[name=confirmPassword]").fill(PASSWORD)
    other.locator("main button.first").click()
    other.wait_for_url("**/account")


@pytest.mark.parametrize(("width", "renew"), [(1440, _sign_in_again), (360, _confirm)])
def test_a_form_filled_in_before_the_session_was_renewed_in_another_tab_can_be_submitted_again(
    ada: Person, width: int, renew: Callable[[Page], None]
) -> None:
    ada.page.set_viewport_size({"width": width, "height": 900})
    ada.open("/w/acme-pdf/settings/workspace")
    ada.fill(name="Typed before")
    other = ada.context.new_page()
    other.goto(f"{ada.url}/w/acme-pdf")
    renew(other)
    ada.page.bring_to_front()
    ada.page.locator(
        "form[action$='/settings/workspace'] button.first, form[action$='/settings/workspace'] .buttons button"
    ).first.click()
    expect(ada.page.get_by_role("heading", name="Send your entries again?")).to_be_visible()
    assert ada.page.evaluate(TOO_WIDE) <= 0
    ada.press("Send again")
    expect(ada.page.get_by_text("Saved.")).to_be_visible()
    expect(ada.page.locator("[name=name]")).to_have_value("Typed before")


@pytest.mark.parametrize("scripted", [True, False], ids=["with JavaScript", "without JavaScript"])
def test_a_form_filled_in_before_the_session_ended_is_restored_after_sign_in(ada: Person, scripted: bool) -> None:
    person = ada
    if not scripted:
        assert ada.context.browser is not None
        plain = ada.context.browser.new_context(java_script_enabled=False, storage_state=ada.context.storage_state())
        person = Person(plain, plain.new_page(), ada.url)
    person.open("/w/acme-pdf/settings/workspace")
    person.fill(name="Typed before")
    person.context.clear_cookies()
    person.press("Save")
    expect(person.page.get_by_role("heading", name="Sign in again")).to_be_visible()
    person.fill(signInEmail=EMAIL, signInPassword=PASSWORD)
    person.press("Sign in")
    expect(person.page).to_have_url(re.compile("/settings/workspace$"))
    expect(person.page.locator("[name=name]")).to_have_value("Typed before")
    person.press("Save")
    expect(person.page.get_by_text("Saved.")).to_be_visible()
    expect(person.page.locator("[name=name]")).to_have_value("Typed before")
