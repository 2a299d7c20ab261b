"""The page of a key while the key is used: everything on it changes together, under the hands of whoever reads it."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.conftest import Application, Desk, Person

# What the page says of the first request, in its four places at one moment.
SEEN = """() => {
  const page = document.querySelector("#main"), words = page.innerText;
  const row = [...page.querySelectorAll("tr")].find((each) => each.innerText.startsWith("pdf.read"));
  return [/1 successful/.test(words), !!page.querySelector(".chart"), /1$/.test(row.innerText), /billing/.test(words)];
}"""
HELD = """() => [document.querySelector("details.behind").open, document.activeElement.tagName, String(getSelection())]"""


def test_the_first_request_appears_in_figures_chart_permissions_and_callers_at_once(ada: Person, desk: Desk, gateway: str) -> None:
    billing = Application(desk, gateway, "billing", "203.0.113.9", ada.create_key("Server"))
    ada.follow("I have copied it")
    expect(ada.page.get_by_text("Never yet")).to_be_visible()
    assert ada.page.evaluate(SEEN) == [False] * 4
    assert billing.calls() == "VALID"
    seen = ada.page.wait_for_function(f"() => {{ const seen = ({SEEN})(); return seen.includes(true) && seen; }}")
    assert seen.json_value() == [True] * 4


def test_what_is_open_focused_or_selected_stays_so_while_figures_change(ada: Person, desk: Desk, gateway: str) -> None:
    billing = Application(desk, gateway, "billing", "203.0.113.9", ada.create_key("Server"))
    billing.calls()
    ada.follow("I have copied it")
    ada.page.get_by_text("The same as a table").click()
    ada.page.evaluate("() => getSelection().selectAllChildren(document.querySelector('.facts code'))")
    before = ada.page.evaluate(HELD)
    assert before[:2] == [True, "SUMMARY"] and before[2].startswith("key_")
    billing.calls()
    expect(ada.page.locator("#live")).to_contain_text("2 successful", timeout=15_000)
    assert ada.page.evaluate(HELD) == before


def test_a_page_that_nobody_sees_asks_nothing_and_one_without_news_is_sent_nothing(ada: Person, desk: Desk, gateway: str) -> None:
    ada.create_key("Server")
    ada.follow("I have copied it")
    with ada.page.expect_response(lambda answer: "?poll=" in answer.url and answer.status == 204):
        pass
    asked: list[str] = []
    ada.page.on("request", lambda request: asked.append(request.url))
    ada.page.evaluate("() => Object.defineProperty(document, 'hidden', { get: () => true, configurable: true })")
    ada.page.evaluate("() => htmx.trigger(document.querySelector('#live'), 'every')")
    ada.page.evaluate("() => document.dispatchEvent(new Event('visibilitychange'))")
    assert asked == []
    ada.page.evaluate("() => delete document.hidden")
    with ada.page.expect_request(lambda request: "?poll=" in request.url):
        ada.page.evaluate("() => document.dispatchEvent(new Event('visibilitychange'))")
