"""A slow request is shown: with a bar, on the part that will be replaced, and on the pressed button."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import PATIENCE_SECONDS, Desk, Person

LIST = "/w/acme-pdf/settings/api-keys"
# Locators do not work on a page that is being left: the page itself reports when it shows that it is busy.
SAY_BUSY = """() => new MutationObserver(() => {
  if (document.querySelector("html.waiting #main[aria-busy=true]")) console.log("busy");
}).observe(document.querySelector("#main"), { attributes: true })"""
WAITING = re.compile(r"\bwaiting\b")


@contextmanager
def held(page: Page, pattern: str) -> Iterator[None]:
    """Delays the answers to these requests until the context exits."""
    kept: list[Route] = []
    released = False

    def hold(route: Route) -> None:
        if released:  # a poll may begin between these and the end
            route.continue_()
        else:
            kept.append(route)

    page.route(re.compile(pattern), hold)
    yield
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not kept:
        assert time.monotonic() < deadline
        page.wait_for_timeout(20)
    released = True
    for each in kept:
        each.continue_()
    page.unroute(re.compile(pattern))


def test_pending_forms_lists_and_pages_are_shown(ada: Person, desk: Desk) -> None:
    bar, main = ada.page.locator("html"), ada.page.locator("#main")
    ada.open(f"{LIST}/new")
    ada.fill(name="Server")
    ada.page.locator("[name=environment][value=production]").check()
    ada.page.locator("[name=permissions][value='pdf.read']").check()
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


def test_polling_is_not_shown_and_the_bar_respects_reduced_motion(ada: Person, desk: Desk) -> None:
    ada.create_key("Server")
    ada.follow("I have copied the key")
    with held(ada.page, r"\?poll="), ada.page.expect_request(lambda request: "?poll=" in request.url):
        ada.page.evaluate("() => htmx.trigger(document.querySelector('#live'), 'every')")
        # The timer that would show it was started before this one.
        ada.page.evaluate("() => new Promise((resolve) => setTimeout(resolve, 200))")
        expect(ada.page.locator("html")).not_to_have_class(WAITING)
    # In one step, because the end of any request removes the class, a poll's also.
    moves = """() => {
      document.documentElement.classList.add("waiting");
      return getComputedStyle(document.documentElement, "::before").animationName;
    }"""
    assert ada.page.evaluate(moves) == "waiting"
    ada.page.emulate_media(reduced_motion="reduce")
    assert ada.page.evaluate(moves) == "none"
