"""The explorer: operations from a menu, the caller's own ids, a management key for all tabs, and the way back."""

from __future__ import annotations

import json
import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, expect

from tests.browser.conftest import Desk, Person


@pytest.fixture
def explorer(ada: Person) -> Person:
    ada.create_key("Invoicing worker")
    ada.open("/w/acme-pdf")
    ada.follow("Explorer")
    expect(query(ada)).to_contain_text("query ShowViewer")
    yield ada
    # The content security policy refuses one style, which GraphiQL does not need.
    ada.complaints = [text for text in ada.complaints if "inline style" not in text]


def query(person: Person) -> Locator:
    return person.page.locator(".graphiql-query-editor .CodeMirror-code")


def choose(person: Person, operation: str) -> None:
    person.page.get_by_label("Open an operation").select_option(operation)


def run(person: Person) -> Locator:
    person.page.get_by_label("Execute query").click()
    return person.page.locator(".result-window")


def variables(person: Person) -> dict[str, object]:
    return dict(
        json.loads(
            person.page.evaluate("() => document.querySelectorAll('.graphiql-editor-tool .CodeMirror')[0].CodeMirror.getValue()")
        )
    )


def test_an_operation_from_the_menu_runs_at_once_with_the_callers_own_ids(explorer: Person) -> None:
    tabs = explorer.page.locator(".graphiql-tab")
    expect(tabs).to_have_count(4)
    choose(explorer, "ShowApiKey")
    expect(query(explorer)).to_contain_text("query ShowApiKey")
    expect(tabs).to_have_count(5)
    assert re.fullmatch(r"key_\w{20}", str(variables(explorer)["id"]))
    expect(run(explorer)).to_contain_text('"name": "Invoicing worker"')
    choose(explorer, "ListApiKeys")
    expect(query(explorer)).to_contain_text("query ListApiKeys")
    expect(tabs).to_have_count(5)
    assert variables(explorer)["workspace"] == "acme-pdf"
    choose(explorer, "RevokeApiKey")
    expect(query(explorer)).to_contain_text("mutation RevokeApiKey")
    assert dict(variables(explorer)["input"])["id"] == ""  # type: ignore[call-overload]


def test_a_management_key_is_used_for_every_tab_and_never_stored(explorer: Person, desk: Desk) -> None:
    token = desk.run("management-key", "create", "--workspace", "acme-pdf", "--scopes", "keys.read", "--expires", "1d")
    explorer.page.get_by_label("Management key").fill(token)
    expect(explorer.page.locator("#caller")).to_have_text("Using the management key")
    expect(run(explorer)).to_contain_text('"kind": "MANAGEMENT_KEY"')
    choose(explorer, "ShowApiKey")
    expect(query(explorer)).to_contain_text("query ShowApiKey")
    expect(run(explorer)).to_contain_text('"name": "Invoicing worker"')
    # A tab's own header comes first.
    explorer.page.get_by_label("Management key").fill("fl_mgmt_wrong")
    expect(run(explorer)).to_contain_text("NOT_AUTHENTICATED")
    assert explorer.page.evaluate("() => localStorage.length + sessionStorage.length") == 0
    explorer.page.reload()
    expect(query(explorer)).to_contain_text("query ShowViewer")
    expect(explorer.page.get_by_label("Management key")).to_have_value("")
    expect(run(explorer)).to_contain_text('"kind": "USER"')


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1440])
def test_the_explorer_is_accessible_and_shows_the_documentation(explorer: Person, scheme: str, width: int) -> None:
    explorer.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
    explorer.page.set_viewport_size({"width": width, "height": 900})
    explorer.page.reload()
    expect(run(explorer)).to_contain_text('"name": "Ada Example"')
    if width > 1200:
        expect(explorer.page.locator(".graphiql-plugin")).to_contain_text("Root Types")
    else:
        assert explorer.page.locator(".graphiql-query-editor").evaluate("(e) => e.getBoundingClientRect().width") > 250
    assert explorer.page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    assert [each["id"] for each in Axe().run(explorer.page).response["violations"]] == []


def test_the_way_back_leads_to_the_workspace(explorer: Person) -> None:
    explorer.follow("‹ Acme PDF")
    explorer.page.wait_for_url("**/w/acme-pdf")
