"""A secret is shown once: not after Back, not after a reload, not in any storage of the browser, not a second time."""

from __future__ import annotations

import json

from playwright.sync_api import expect

from tests.browser.conftest import Desk, Person

STORED = "() => JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, document.documentElement.outerHTML])"


def test_after_back_forward_and_reload_the_secret_is_nowhere_in_the_browser(ada: Person, desk: Desk) -> None:
    secret = ada.create_key("Production server")
    body = secret.split("_")[2]
    ada.follow("I have copied it")
    ada.page.wait_for_url("**/key_*")
    for move in (ada.page.go_back, ada.page.go_forward, ada.page.go_back, ada.page.reload):
        move()
        ada.page.wait_for_load_state()
        assert body[4:] not in ada.page.evaluate(STORED)
    assert body[4:] not in json.dumps(ada.context.storage_state(indexed_db=True))
    databases = ada.page.evaluate("async () => [await caches.keys(), (await indexedDB.databases()).map(d => d.name)]")
    assert databases == [[], []]


def test_without_javascript_the_secret_is_shown_once_too_and_the_form_sent_twice_lands_on_already_made(
    ada: Person, desk: Desk
) -> None:
    desk.run("set-plan", "acme-pdf", "growth")
    plain = ada.context.browser.new_context(java_script_enabled=False, storage_state=ada.context.storage_state())  # type: ignore[union-attr]
    person = Person(plain, plain.new_page(), desk.url)
    person.open("/w/acme-pdf")
    secret = _created_by_hand(person)
    body = secret.split("_")[2]
    person.page.reload()  # the browser sends the form again
    expect(person.page.get_by_role("heading", name="Already made")).to_be_visible()
    assert body[4:] not in person.page.content()
    person.press("Revoke the unused key and make another")
    another = (person.page.locator("#secret").text_content() or "").strip()
    assert another != secret and another.startswith("fl_live_")
    plain.close()


def test_copying_says_that_it_copied(ada: Person, desk: Desk) -> None:
    ada.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=desk.url)
    secret = ada.create_key("Production server")
    ada.page.locator("[data-copy=secret]").click()
    expect(ada.page.locator("[data-copy=secret]")).to_have_text("Copied")
    assert ada.page.evaluate("() => navigator.clipboard.readText()") == secret


def _created_by_hand(person: Person) -> str:
    """Without a script a preset fills nothing in."""
    person.open("/w/acme-pdf/settings/api-keys/new")
    person.fill(name="By hand")
    person.page.locator("[name=environment][value=production]").check()
    person.page.locator("[name=permissions][value='pdf.read']").check()
    person.press("Review")
    person.press("Create API key")
    return (person.page.locator("#secret").text_content() or "").strip()
