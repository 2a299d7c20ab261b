"""A secret is shown once: not again after Back or a reload, and in no storage of the browser."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from typing import Final

import pytest
from playwright.sync_api import Route, expect

from app.web.bulk_changes import CHANGES
from tests.browser.conftest import Desk, Person
from tests.support.routes import routes_that_show_once

KEYS = "/w/acme-pdf/settings/api-keys"
WEBHOOKS = "/w/acme-pdf/settings/webhooks"
STORED = "() => JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, document.documentElement.outerHTML])"


def test_after_back_forward_and_reload_the_secret_is_nowhere_in_the_browser(ada: Person, desk: Desk) -> None:
    secret = ada.create_key("Production server")
    body = secret.split("_")[2]
    ada.follow("I have copied the key")
    ada.page.wait_for_url("**/key_*")
    for move in (ada.page.go_back, ada.page.go_forward, ada.page.go_back, ada.page.reload):
        move()
        ada.page.wait_for_load_state()
        assert body[4:] not in ada.page.evaluate(STORED)
    assert body[4:] not in json.dumps(ada.context.storage_state(indexed_db=True))
    databases = ada.page.evaluate("async () => [await caches.keys(), (await indexedDB.databases()).map(d => d.name)]")
    assert databases == [[], []]


def test_without_javascript_the_secret_is_shown_once_too_and_the_form_sent_twice_leads_to_its_key(ada: Person, desk: Desk) -> None:
    desk.run("set-plan", "acme-pdf", "growth")
    plain = ada.context.browser.new_context(java_script_enabled=False, storage_state=ada.context.storage_state())  # type: ignore[union-attr]
    person = Person(plain, plain.new_page(), desk.url)
    person.open("/w/acme-pdf")
    secret = _created_by_hand(person)
    body = secret.split("_")[2]
    person.page.reload()  # the browser submits the form again
    expect(person.page.get_by_text("The secret of this key was shown once")).to_be_visible()
    assert body[4:] not in person.page.content()
    person.press("Revoke the unused key and make another")
    another = (person.page.locator("#secret").text_content() or "").strip()
    assert another != secret and another.startswith("fl_live_")
    plain.close()


def test_beside_the_secret_its_first_request_is_shown_and_the_secret_stays(ada: Person, desk: Desk) -> None:
    secret = ada.create_key("Production server")
    expect(ada.page.locator("#first-use")).to_contain_text("Waiting for the first request")
    command = (ada.page.locator("#check").text_content() or "").strip()
    assert secret not in command
    done = subprocess.run(["sh", "-c", command + " -s"], env=os.environ | {"FL_API_KEY": secret}, capture_output=True, check=True)
    assert json.loads(done.stdout)["name"] == "Production server"
    expect(ada.page.locator("#first-use")).to_contain_text("It works: used")
    expect(ada.page.locator("#secret")).to_have_text(secret)
    expect(ada.page.locator("#first-use[hx-get]")).to_have_count(0)


def test_the_copy_button_confirms(ada: Person, desk: Desk) -> None:
    ada.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=desk.url)
    secret = ada.create_key("Production server")
    ada.page.locator("[data-copy=secret]").click()
    expect(ada.page.locator("[data-copy=secret]")).to_have_text("Copied secret")
    assert ada.page.evaluate("() => navigator.clipboard.readText()") == secret


def _created_by_hand(person: Person) -> str:
    """Fills in the form without presets, which need JavaScript."""
    person.open("/w/acme-pdf/settings/api-keys/new")
    person.fill(name="By hand")
    person.page.locator("[name=environment][value=production]").check()
    person.page.locator("[name=permissions][value='pdf.read']").check()
    person.press("Review")
    person.press("Create API key")
    return (person.page.locator("#secret").text_content() or "").strip()


def _to_create(ada: Person) -> str:
    ada.open("/w/acme-pdf/settings/api-keys/new")
    ada.fill(name="Clicked twice")
    ada.page.locator("[name=environment][value=production]").check()
    ada.page.locator("[name=permissions][value='pdf.read']").check()
    return "Create API key"


def _to_replace(ada: Person) -> str:
    ada.create_key("Lost")
    ada.page.reload()
    return "Revoke the unused key and make another"


def _to_rotate(ada: Person) -> str:
    ada.create_key("Old")
    ada.follow("I have copied the key")
    ada.follow("Rotate")
    return "Create the new key"


def _to_replace_the_successor(ada: Person) -> str:
    ada.press(_to_rotate(ada))
    ada.follow("I have copied the key: show progress")
    return "Replace the lost secret"


def _to_invite(ada: Person) -> str:
    ada.open("/w/acme-pdf/settings/members")
    ada.fill(email="bo@example.org")
    return "Invite member"


def _to_the_calendar(ada: Person) -> str:
    ada.open("/w/acme-pdf/settings/calendar")
    return "Create a link"


def _to_rotate_a_leaked_key(ada: Person) -> str:
    ada.create_key("Leaked")
    ada.open(f"{KEYS}/{_newest(ada, KEYS)}/leak")
    return ada.page.locator("form[action$='/rotation'] button").inner_text()


def _to_rotate_several(ada: Person) -> str:
    ada.create_key("Old")
    ada.open(f"{KEYS}/bulk/rotation?key={_newest(ada, KEYS)}")
    return ada.page.locator("form[action$='/bulk/rotation'] button").inner_text()


def _to_manage(ada: Person) -> str:
    ada.open("/w/acme-pdf/settings/management-keys/new")
    ada.fill(name="Clicked twice")
    ada.page.locator("[name=scopes][value='keys.read']").check()
    return "Create management key"


def _to_send_webhooks(ada: Person) -> str:
    ada.open(f"{WEBHOOKS}/new")
    ada.fill(name="Clicked twice", url="https://hooks.example.com")
    return "Create webhook"


def _to_rotate_the_secret_of_a_webhook(ada: Person) -> str:
    ada.press(_to_send_webhooks(ada))
    ada.page.locator("#secret").wait_for()
    ada.open(f"{WEBHOOKS}/{_newest(ada, WEBHOOKS)}")
    return ada.page.locator("form[action$='/secret'] button").inner_text()


def _newest(ada: Person, path: str) -> str:
    """The id of the first object of this list."""
    ada.open(path)
    return str(ada.page.locator("tbody tr[id]").first.get_attribute("id"))


# Every button whose answer shows something once, by the route of its form.
BUTTONS: Final[dict[str, list[Callable[[Person], str]]]] = {
    "/w/{slug}/settings/api-keys/new": [_to_create],
    "/w/{slug}/settings/api-keys/{key_id}/replacement": [_to_replace],
    "/w/{slug}/settings/api-keys/{key_id}/rotation": [_to_rotate, _to_rotate_a_leaked_key],
    "/w/{slug}/settings/api-keys/{key_id}/rotation/replacement": [_to_replace_the_successor],
    "/w/{slug}/settings/api-keys/bulk/rotation": [_to_rotate_several],
    "/w/{slug}/settings/members": [_to_invite],
    "/w/{slug}/settings/calendar": [_to_the_calendar],
    "/w/{slug}/settings/management-keys/new": [_to_manage],
    "/w/{slug}/settings/webhooks/new": [_to_send_webhooks],
    "/w/{slug}/settings/webhooks/{webhook_id}/secret": [_to_rotate_the_secret_of_a_webhook],
}


def test_every_form_that_shows_something_once_has_its_buttons_here() -> None:
    # The page with the results of a rotation is that of the other changes of several keys, which have no secrets.
    without = {f"/w/{{slug}}/settings/api-keys/bulk/{change}" for change in CHANGES if change != "rotation"}
    assert set(BUTTONS) == routes_that_show_once() - without


@pytest.mark.parametrize("come", [way for ways in BUTTONS.values() for way in ways], ids=lambda way: way.__name__)
def test_after_a_double_click_the_secret_of_the_only_object_is_shown(
    ada: Person, desk: Desk, come: Callable[[Person], str]
) -> None:
    desk.run("set-plan", "acme-pdf", "growth")
    ada.page.get_by_role("button", name=come(ada), exact=True).dblclick()
    secret = ada.page.locator("code[data-secret]").first
    secret.wait_for()
    shown = secret.text_content()
    ada.page.wait_for_load_state("networkidle")
    expect(secret).to_have_text(shown or "")
    if shown and shown.startswith("fl_"):
        assert "ACTIVE" in desk.run("find", "--json", stdin=shown)


@pytest.mark.parametrize("headers", [{}, {"hx-redirect": "/account"}], ids=["content", "redirect"])
def test_no_late_answer_replaces_a_secret(ada: Person, headers: dict[str, str]) -> None:
    late: list[Route] = []
    ada.open("/w/acme-pdf/settings/api-keys/new")
    ada.page.route("**/late", lambda route: late.append(route))
    with ada.page.expect_request("**/late"):
        ada.page.evaluate("void htmx.ajax('GET', '/late', '#main')")
    ada.page.get_by_role("radio", name="Production").first.check()
    ada.fill(name="Kept")
    ada.press("Create API key")
    expect(ada.page.locator("#secret")).to_be_visible()
    with ada.page.expect_event("requestfinished", lambda request: request.url.endswith("/late")):
        _answer_with(late[0], headers)
    # A task after the answer's own.
    ada.page.evaluate("() => new Promise((resolve) => setTimeout(resolve))")
    expect(ada.page.locator("#secret")).to_be_visible()
    assert ada.questions == []


def _answer_with(route: Route, headers: dict[str, str]) -> None:
    body = '<main id="main"><h1>Something else</h1></main>'
    route.fulfill(status=200, headers={"content-type": "text/html"} | headers, body=body)


# Ways to leave a page: with a link, with the address bar, with Reload, and with Back.
WAYS_OUT: dict[str, Callable[[Person], object]] = {
    "a link": lambda ada: ada.page.get_by_role("link", name="Checklist").click(no_wait_after=True),
    "an address": lambda ada: ada.page.evaluate("location.assign('/account')"),
    "Reload": lambda ada: ada.page.evaluate("location.reload()"),
    "Back": lambda ada: ada.page.evaluate("history.back()"),
}


@pytest.mark.parametrize("way", WAYS_OUT)
def test_leaving_a_secret_that_was_not_copied_is_asked_once_and_answered(ada: Person, way: str) -> None:
    secret = ada.create_key("Server")
    ada.leaves = False
    with ada.page.expect_event("dialog"):
        WAYS_OUT[way](ada)
    expect(ada.page.locator("#secret")).to_have_text(secret)
    expect(ada.page.locator("html.waiting")).to_have_count(0)
    ada.leaves = True
    with ada.page.expect_navigation():
        WAYS_OUT[way](ada)
    expect(ada.page.locator("#secret")).to_have_count(0)
    assert ada.questions == ["beforeunload", "beforeunload"]


def test_htmx_asks_too_before_it_replaces_a_secret_that_was_not_copied(ada: Person) -> None:
    secret = ada.create_key("Server")
    go = "void htmx.ajax('GET', '/w/acme-pdf/checklist', '#main')"
    ada.leaves = False
    ada.page.evaluate(go)
    expect(ada.page.locator("#secret")).to_have_text(secret)
    ada.leaves = True
    ada.page.evaluate(go)
    expect(ada.page.locator("#secret")).to_have_count(0)
    assert [question.partition(" on")[0] for question in ada.questions] == ["confirm: The secret"] * 2
    ada.open("/w/acme-pdf/settings/api-keys")
    assert len(ada.questions) == 2


def _by_button(ada: Person) -> None:
    ada.page.locator("[data-copy=secret]").click()
    expect(ada.page.locator("[data-copy=secret]")).to_have_text("Copied secret")


def _by_button_of_the_variable(ada: Person) -> None:
    ada.page.locator("[data-copy=variable]").click()
    expect(ada.page.locator("[data-copy=variable]")).to_have_text("Copied secret")


def _by_keyboard(ada: Person) -> None:
    ada.page.locator("#secret").dblclick()
    ada.page.keyboard.press("Control+c")
    expect(ada.page.locator("[data-copy=secret]")).to_have_text("Copied secret")


def _by_saying_so(ada: Person) -> None:
    ada.follow("I have copied the key")
    ada.page.wait_for_url("**/key_*")


@pytest.mark.parametrize(
    "keep", [_by_button, _by_button_of_the_variable, _by_keyboard, _by_saying_so], ids=lambda way: way.__name__
)
def test_a_secret_that_was_copied_is_left_without_a_question(ada: Person, desk: Desk, keep: Callable[[Person], None]) -> None:
    ada.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=desk.url)
    ada.create_key("Server")
    keep(ada)
    ada.page.evaluate("void htmx.ajax('GET', '/w/acme-pdf/checklist', '#main')")
    expect(ada.page.locator("#secret")).to_have_count(0)
    ada.open("/w/acme-pdf/settings/api-keys")
    assert ada.questions == []


@pytest.mark.parametrize("copied", ["a part", "something else"])
def test_copying_anything_else_is_no_copy_of_the_secret(ada: Person, desk: Desk, copied: str) -> None:
    ada.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=desk.url)
    ada.create_key("Server")
    if copied == "a part":
        ada.page.evaluate("() => getSelection().setBaseAndExtent(secret.firstChild, 0, secret.firstChild, 12)")
        ada.page.keyboard.press("Control+c")
    else:
        ada.page.locator("[data-copy=check]").click()
        expect(ada.page.locator("[data-copy=check]")).to_have_text("Copied code")
    ada.open("/account")
    assert ada.questions == ["beforeunload"]


def test_each_other_page_with_a_secret_asks_too(ada: Person, desk: Desk) -> None:
    desk.run("set-plan", "acme-pdf", "growth")
    ada.press(_to_rotate(ada))
    ada.page.locator("#secret").wait_for()
    ada.open("/w/acme-pdf/settings/management-keys/new")
    assert ada.questions == ["beforeunload"]
    ada.fill(name="CI")
    ada.page.locator("[name=scopes]").first.check()
    ada.press("Create management key")
    ada.page.locator("#secret").wait_for()
    ada.open("/w/acme-pdf/settings/webhooks/new")
    assert ada.questions == ["beforeunload"] * 2
    ada.fill(name="Receiver", url="https://hooks.example.com/in")
    ada.press("Create webhook")
    ada.page.locator("#secret").wait_for()
    ada.page.locator("main a.button.first").click()
    ada.page.wait_for_url("**/whk_*")
    assert ada.questions == ["beforeunload"] * 2


def test_a_network_failure_is_shown_and_the_input_is_kept(ada: Person) -> None:
    ada.open("/w/acme-pdf/settings/api-keys/new")
    ada.fill(name="Written on a train")
    ada.page.locator("[name=environment][value=production]").check()
    ada.page.locator("[name=permissions][value='pdf.read']").check()
    ada.context.set_offline(True)
    ada.page.get_by_role("button", name="Create API key").click()
    expect(ada.page.get_by_role("alert").filter(has_text="No answer from the server")).to_be_visible()
    expect(ada.page.get_by_role("button", name="Create API key")).to_be_enabled()
    assert ada.page.locator("[name=name]").input_value() == "Written on a train"
    ada.context.set_offline(False)
    ada.press("Create API key")
    expect(ada.page.locator("#secret")).to_be_visible()
    expect(ada.page.get_by_text("No answer from the server")).to_have_count(0)
