"""A slow answer is seen to be on its way: a bar, what will be replaced, and the button that was pressed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Desk, Person

LIST = "/w/acme-pdf/settings/api-keys"
# A page that is being left answers no locator: it says by itself when it is seen to be busy.
SAY_BUSY = """() => new MutationObserver(() => {
  if (document.querySelector("html.waiting #main[aria-busy=true]")) console.log("busy");
}).observe(document.querySelector("#main"), { attributes: true })"""
WAITING = re.compile(r"\bwaiting\b")


@contextmanager
def held(page: Page, pattern: str) -> Iterator[None]:
    """Answers to these requests are kept back until the end."""
    kept: list[Route] = []
    page.route(re.compile(pattern), lambda route: kept.append(route))
    yield
    assert kept
    for each in kept:
        each.continue_()
    page.unroute(re.compile(pattern))


def test_a_form_a_list_and_another_page_on_their_way_are_seen(ada: Person, desk: Desk) -> None:
    bar, main = ada.page.locator("html"), ada.page.locator("#main")
    ada.open(f"{LIST}/new")
    ada.fill(name="Server")
    ada.page.locator("[name=environment][value=production]").check()
    ada.page.locator("[name=permissions][value='pdf.read']").check()
    ada.press("Review")
    with held(ada.page, f"{LIST}/new$"):
        ada.press("Create API key")
        expect(bar).to_have_class(WAITING)
        expect(main).to_have_attribute("aria-busy", "true")
        expect(ada.page.get_by_role("button", name="Creating…")).to_be_disabled()
    expect(ada.page.locator("#secret")).to_be_visible()
    expect(bar).not_to_have_class(WAITING)
    expect(main).not_to_have_attribute("aria-busy", "true")

    ada.open(LIST)
    with held(ada.page, r"api-keys\?"):
        ada.page.get_by_label("Status").select_option("active")
        expect(ada.page.locator("#keys")).to_have_attribute("aria-busy", "true")
        expect(ada.page.locator("#keys")).to_have_css("opacity", "0.6")
    expect(ada.page.locator("#keys")).not_to_have_attribute("aria-busy", "true")
    expect(bar).not_to_have_class(WAITING)

    ada.page.evaluate(SAY_BUSY)
    with held(ada.page, r"/settings/plan$"), ada.page.expect_console_message(lambda message: message.text == "busy"):
        ada.page.get_by_role("link", name="Plan").click(no_wait_after=True)
    expect(ada.page.get_by_role("heading", name="Plan", level=1)).to_be_visible()
    expect(bar).not_to_have_class(WAITING)


def test_what_a_page_asks_by_itself_is_not_seen_and_the_bar_does_not_move_where_motion_is_unwelcome(
    ada: Person, desk: Desk
) -> None:
    ada.create_key("Server")
    ada.follow("I have copied it")
    with held(ada.page, r"\?poll="), ada.page.expect_request(lambda request: "?poll=" in request.url):
        ada.page.evaluate("() => htmx.trigger(document.querySelector('#live'), 'every')")
        # The timer that would show it was set before this one.
        ada.page.evaluate("() => new Promise((resolve) => setTimeout(resolve, 200))")
        expect(ada.page.locator("html")).not_to_have_class(WAITING)
    ada.page.evaluate("() => document.documentElement.classList.add('waiting')")
    moves = "() => getComputedStyle(document.documentElement, '::before').animationName"
    assert ada.page.evaluate(moves) == "waiting"
    ada.page.emulate_media(reduced_motion="reduce")
    assert ada.page.evaluate(moves) == "none"
