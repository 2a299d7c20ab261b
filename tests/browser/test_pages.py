"""Every page: wide and narrow, light and dark, empty and full, with very long names; without any fault."""

from __future__ import annotations

import re
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from app.web.bulk_changes import CHANGES
from tests.browser.conftest import PASSWORD, Desk, Person

LONG = "Billing worker of the northern region, second shift, with a very long name that goes on and onandonandon"[:100]
PLACES = (
    "", "/settings/api-keys", "/settings/api-keys?q=nothing-has-this-name", "/settings/api-keys/new", "/settings/plan",
    "/settings/members", "/settings/webhooks", "/settings/webhooks/new", "/settings/audit-log", "/settings/workspace",
    "/settings/workspace/deletion",
    "/settings/management-keys", "/settings/management-keys/new", "/search", "/search?q=key", "/search?q=nothing-has-this-name",
    "/alerts", "/alerts/suspension", "/settings/alert-mail", "/checklist", "/settings/calendar", "/settings/api-keys?sort=rotate",
)  # fmt: skip
OF_A_KEY = ("", "/requests", "/edit", "/suspension", "/revocation", "/unused-permissions")
TOO_WIDE = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


def look(person: Person, paths: list[str], **options: Any) -> None:
    """Opens each page with these browser options and returns its faults."""
    browser = person.context.browser
    assert browser is not None
    context = browser.new_context(storage_state=person.context.storage_state(), **options)
    page = context.new_page()
    page.on("console", lambda message: person._on_console(message.text))
    wrong: list[str] = []
    for path in paths:
        answer = page.goto(person.url + path)
        assert answer is not None and answer.status == 200, path
        assert page.locator("h1").count() == 1, path
        if (over := page.evaluate(TOO_WIDE)) > 0:
            wrong.append(f"{path} is {over} px too wide")
        found = Axe().run(page).response["violations"]
        wrong += [f"{path}: {each['id']} {[node['target'] for node in each['nodes']][:3]}" for each in found]
    context.close()
    assert wrong == []


def paths_of(desk: Desk, keys: list[str]) -> list[str]:
    of_keys = [f"/w/acme-pdf/settings/api-keys/{key}{end}" for key in keys for end in OF_A_KEY]
    return [f"/w/acme-pdf{place}" for place in PLACES] + of_keys + ["/account"]


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 1440), ("light", 360), ("dark", 360)])
def test_every_page_is_complete_and_accessible_empty_and_full(ada: Person, desk: Desk, scheme: str, width: int) -> None:
    options = {"color_scheme": scheme, "viewport": {"width": width, "height": 900}}
    look(ada, paths_of(desk, []), **options)
    desk.run("set-plan", "acme-pdf", "scale_enterprise")
    token = desk.run("management-key", "create", "--workspace", "acme-pdf", "--scopes", "keys.write", "--expires", "1d")
    keys = [_made(desk, token, name) for name in (LONG, "x", "<script>alert(1)</script>", "' hx-get=/sign-out hx-trigger=load x='")]
    for n in range(30):
        _made(desk, token, f"Key {n}")
    desk.graphql(token, "keys/suspend", id=keys[1])
    desk.graphql(token, "rotations/start", id=keys[2])
    leaks = [f"/w/acme-pdf/settings/api-keys/{keys[0]}/leak{query}" for query in ("", "?suspected=2026-01-01T00:00")]
    look(ada, leaks, **options)
    chosen = "&".join(f"key={key}" for key in keys)
    look(ada, [f"/w/acme-pdf/settings/api-keys/bulk/{change}?{chosen}" for change in CHANGES], **options)
    rotations = [f"/w/acme-pdf/settings/api-keys/{key}/rotation" for key in (keys[0], keys[2])]
    look(ada, [*paths_of(desk, keys[:2]), *(f"/w/acme-pdf/settings/api-keys/{key}" for key in keys[2:]), *rotations], **options)


def test_the_list_is_searched_while_typing_and_a_complete_key_is_cut_to_its_prefix(ada: Person, desk: Desk) -> None:
    desk.run("set-plan", "acme-pdf", "growth")
    secret = ada.create_key("Production server")
    ada.create_key("Staging server", preset="Staging")
    asked: list[str] = []
    ada.page.on("request", lambda request: asked.append(request.url))
    ada.open("/w/acme-pdf/settings/api-keys")
    ada.page.get_by_label("Search by name, prefix, id, program or network").press_sequentially("stag")
    expect(ada.page.locator("#keys tbody tr")).to_have_count(1)
    # Slow typing is searched for more than once, and the first letters find the same row.
    expect(ada.page).to_have_url(re.compile(r"[?]q=stag&status=&environment=&permission=&rotation=&sort=newest$"))
    expect(ada.page.locator("#keys tbody tr")).to_have_count(1)
    ada.page.get_by_label("Search by name, prefix, id, program or network").fill(secret)
    expect(ada.page.locator("#keys tbody tr")).to_have_text([re.compile("Production server")])
    assert [url for url in asked if secret[12:] in url] == []


def test_the_keyboard_can_skip_to_the_content(ada: Person, desk: Desk) -> None:
    ada.open("/w/acme-pdf/settings/api-keys")
    ada.page.keyboard.press("Tab")
    expect(ada.page.get_by_text("Skip to content")).to_be_focused()
    ada.page.keyboard.press("Enter")
    ada.page.keyboard.press("Tab")
    expect(ada.page.get_by_role("link", name="Create API key").first).to_be_focused()


def test_a_fault_is_reported_at_its_field_and_no_input_is_lost(ada: Person, desk: Desk) -> None:
    ada.open("/w/acme-pdf/settings/api-keys/new")
    ada.fill(name="Contractor", allowedIps="203.0.113.9\nnot-an-address")
    ada.page.locator("[name=environment][value=temporary]").check()
    ada.page.get_by_label("A date").check()
    ada.press("Create API key")
    expect(ada.page.locator("#expiresAt-fault")).to_contain_text("Enter the date and time")
    expect(ada.page.locator("#allowedIps-fault")).to_contain_text("'not-an-address' is not an address")
    expect(ada.page.locator("#permissions-fault")).to_contain_text("Choose at least one permission")
    expect(ada.page.locator("[name=name]")).to_have_value("Contractor")
    expect(ada.page.locator("[name=environment][value=temporary]")).to_be_checked()
    expect(ada.page.locator("[name=allowedIps]")).to_have_value("203.0.113.9\nnot-an-address")


def test_the_explorer_runs_a_query_as_the_user_and_stores_nothing(ada: Person, desk: Desk) -> None:
    ada.open("/graphql")
    ada.page.get_by_label("Execute query").click()
    expect(ada.page.locator(".result-window")).to_contain_text('"name": "Ada Example"')
    assert ada.page.evaluate("() => localStorage.length + sessionStorage.length") == 0
    # The content security policy refuses one style, which GraphiQL does not need.
    ada.complaints = [text for text in ada.complaints if "inline style" not in text]


def test_the_explorer_shows_the_events_of_a_subscription_until_it_is_stopped_or_complete(ada: Person, desk: Desk) -> None:
    token = desk.run("management-key", "create", "--workspace", "acme-pdf", "--scopes", "keys.read,keys.write", "--expires", "1d")
    key = desk.graphql(token, "keys/create", name="Server", environment="production", permissions=["pdf.read"])["apiKey"]["id"]
    run = desk.graphql(token, "rotations/start", id=key)["rotation"]["id"]
    ada.open("/graphql")
    ada.page.locator(".graphiql-query-editor .CodeMirror").click()
    ada.page.keyboard.press("Control+A")
    ada.page.keyboard.insert_text(f'subscription {{ rotationChanged(id: "{run}") {{ rotation {{ state }} }} }}')
    ada.page.get_by_label("Execute query").click()
    expect(ada.page.locator(".result-window")).to_contain_text('"state": "ISSUED"')
    ada.page.get_by_label("Stop query").click()
    ada.page.get_by_label("Execute query").click()
    expect(ada.page.get_by_label("Stop query")).to_be_visible()
    desk.graphql(token, "rotations/cancel", id=run)
    expect(ada.page.locator(".result-window")).to_contain_text('"state": "CANCELLED"')
    # The events end with the rotation.
    expect(ada.page.get_by_label("Execute query")).to_be_visible()
    ada.complaints = [text for text in ada.complaints if "inline style" not in text]


def test_after_password_confirmation_in_another_tab_the_explorer_works_and_keeps_its_input(ada: Person) -> None:
    ada.open("/graphql")
    ada.page.get_by_label("Execute query").click()
    expect(ada.page.locator(".result-window")).to_contain_text('"name": "Ada Example"')
    ada.page.locator(".graphiql-query-editor .CodeMirror").click()
    ada.page.keyboard.press("Control+Home")
    ada.page.keyboard.type("# typed before\n")
    other = ada.context.new_page()
    other.goto(f"{ada.url}/account/confirm?next=/account")
    other.locator("[name=confirmPassword]").fill(PASSWORD)
    other.get_by_role("button", name="Confirm and continue").click()
    other.wait_for_url("**/account")
    ada.page.bring_to_front()
    with ada.page.expect_response("**/graphql") as answered:
        ada.page.get_by_label("Execute query").click()
    assert answered.value.status == 200
    expect(ada.page.locator(".graphiql-query-editor")).to_contain_text("# typed before")
    ada.context.clear_cookies()
    ada.page.get_by_label("Execute query").click()
    expect(ada.page.locator(".result-window")).to_contain_text("You are signed out")
    expect(ada.page.locator(".graphiql-query-editor")).to_contain_text("# typed before")
    ada.complaints = [text for text in ada.complaints if "inline style" not in text]


def _made(desk: Desk, token: str, name: str) -> str:
    made = desk.graphql(token, "keys/create", name=name, environment="production", permissions=["pdf.generate", "pdf.read"])
    return str(made["apiKey"]["id"])


def test_after_each_step_of_a_form_the_focus_is_on_the_heading_or_the_fault(ada: Person, desk: Desk) -> None:
    ada.open("/w/acme-pdf/settings/api-keys/new")
    ada.fill(name="Server")
    ada.page.locator("[name=environment][value=production]").check()
    ada.press("Create API key")
    expect(ada.page.locator("[name=permissions]").first).to_be_focused()
    ada.page.locator("[name=permissions][value='pdf.read']").check()
    ada.press("Create API key")
    expect(ada.page.get_by_role("heading", level=1)).to_be_focused()
    expect(ada.page).to_have_title("Server · Keydesk")
