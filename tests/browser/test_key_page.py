"""The page of a key: its actions and how to use it; while it is used, all parts update together and do not disturb the reader."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Application, Desk, Person

# What the page shows about the first request, in its four parts at one moment.
SEEN = """() => {
  const page = document.querySelector("#main"), words = page.innerText;
  const row = [...page.querySelectorAll("tr")].find((each) => each.innerText.startsWith("pdf.read"));
  return [/1 successful/.test(words), !!page.querySelector(".chart"), /1$/.test(row.innerText), /billing/.test(words)];
}"""
# In one step: hides the page, collects the URLs that it requests, and makes everything happen that would start a poll.
HIDDEN = """async () => {
  Object.defineProperty(document, "hidden", { get: () => true, configurable: true });
  const fetched = window.fetch;
  window.asked = [];
  window.fetch = (...request) => { asked.push(String(request[0])); return fetched(...request); };
  htmx.trigger(document.querySelector("#live"), "every");
  document.dispatchEvent(new Event("visibilitychange"));
  await new Promise((resolve) => setTimeout(resolve, 100));
  return asked;
}"""
HELD = """() => [document.querySelector("details.behind").open, document.activeElement.tagName, String(getSelection())]"""


def test_the_first_request_appears_in_figures_chart_permissions_and_callers_together(ada: Person, desk: Desk, gateway: str) -> None:
    billing = Application(desk, gateway, "billing", "203.0.113.9", ada.create_key("Server"))
    ada.follow("I have copied the key")
    expect(ada.page.get_by_text("No callers yet")).to_be_visible()
    assert ada.page.evaluate(SEEN) == [False] * 4
    assert billing.calls() == "VALID"
    seen = ada.page.wait_for_function(f"() => {{ const seen = ({SEEN})(); return seen.includes(true) && seen; }}")
    assert seen.json_value() == [True] * 4


def test_what_is_open_focused_or_selected_stays_so_while_figures_change(ada: Person, desk: Desk, gateway: str) -> None:
    billing = Application(desk, gateway, "billing", "203.0.113.9", ada.create_key("Server"))
    assert billing.calls() == "VALID"
    ada.follow("I have copied the key")
    ada.page.get_by_text("Show as table").click()
    ada.page.evaluate("() => getSelection().selectAllChildren(document.querySelector('.facts > :last-child code'))")
    before = ada.page.evaluate(HELD)
    assert before[:2] == [True, "SUMMARY"] and before[2].startswith("key_")
    assert billing.calls() == "VALID"
    expect(ada.page.locator("#live")).to_contain_text("2 successful")
    assert ada.page.evaluate(HELD) == before


def test_a_hidden_page_does_not_poll_and_without_changes_nothing_is_sent(ada: Person, desk: Desk, gateway: str) -> None:
    ada.create_key("Server")
    ada.follow("I have copied the key")
    with ada.page.expect_response(lambda answer: "?poll=" in answer.url and answer.status == 204):
        pass
    assert ada.page.evaluate(HIDDEN) == []
    with ada.page.expect_request(lambda request: "?poll=" in request.url):
        ada.page.evaluate("() => { delete document.hidden; document.dispatchEvent(new Event('visibilitychange')); }")
    ada.page.wait_for_function("() => asked.some((url) => url.includes('?poll='))")


def test_a_tab_and_a_menu_stay_open_while_figures_change(ada: Person, desk: Desk, gateway: str) -> None:
    billing = Application(desk, gateway, "billing", "203.0.113.9", ada.create_key("Server"))
    ada.follow("I have copied the key")
    ada.page.locator("label[for=way-node]").click()
    ada.page.get_by_label("More actions").click()
    assert billing.calls() == "VALID"
    expect(ada.page.locator("#live")).to_contain_text("1 successful")
    expect(ada.page.locator("#node")).to_be_visible()
    expect(ada.page.locator("#check")).to_be_hidden()
    expect(ada.page.get_by_role("link", name="Suspend")).to_be_visible()


@pytest.mark.parametrize("with_script", [True, False])
def test_how_to_use_a_key_is_shown_in_tabs_without_the_secret_and_runs(ada: Person, desk: Desk, with_script: bool) -> None:
    secret = ada.create_key("Production server")
    ada.follow("I have copied the key")
    ada.page.wait_for_url("**/key_*")
    browser = ada.context.browser
    assert browser is not None
    context = browser.new_context(storage_state=ada.context.storage_state(), java_script_enabled=with_script)
    page = context.new_page()
    page.goto(ada.page.url)
    shown = {}
    for tab, part in (
        ("curl", "check"),
        ("Header", "header"),
        ("Python", "python"),
        ("Node", "node"),
        ("Middleware", "middleware"),
    ):
        page.locator(f"label[for=way-{part}]").click()
        expect(page.get_by_label(tab, exact=True)).to_be_checked()
        expect(page.locator(".tabs pre:visible")).to_have_count(1)
        shown[part] = (page.locator(f"#{part}").text_content() or "").strip()
        assert secret not in shown[part]
    environment = os.environ | {"FL_API_KEY": secret}
    for command in (["sh", "-c", shown["check"] + " -s"], [sys.executable, "-c", shown["python"]]):
        done = subprocess.run(command, env=environment, capture_output=True, check=True)
        assert json.loads(done.stdout)["name"] == "Production server"
    context.close()
