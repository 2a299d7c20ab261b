"""What a visit transfers, headers included, and what moves while a page loads."""

from __future__ import annotations

from playwright.sync_api import Browser, Page

from tests.browser.conftest import EMAIL, PASSWORD, Desk, Person

FIRST_VISIT, LATER_PAGE = 120_000, 30_000
KEYS = "/w/acme-pdf/settings/api-keys"


class Transferred:
    """The bytes that a page's answers took since the last look, as sent, and their addresses; without what the browser had."""

    def __init__(self, page: Page) -> None:
        self._address: dict[str, str] = {}
        self._bytes: dict[str, int] = {}
        session = page.context.new_cdp_session(page)
        session.on("Network.requestWillBeSent", lambda event: self._address.update({event["requestId"]: event["request"]["url"]}))
        session.on("Network.loadingFinished", lambda event: self._bytes.update({event["requestId"]: event["encodedDataLength"]}))
        session.send("Network.enable")

    def take(self) -> tuple[int, list[str]]:
        taken, self._bytes = self._bytes, {}
        return sum(taken.values()), [self._address[each] for each, size in taken.items() if size]


def test_a_first_visit_and_later_pages_are_small(ada: Person, desk: Desk, chromium: Browser) -> None:
    desk.run("set-plan", "acme-pdf", "scale_enterprise")
    token = desk.run("management-key", "create", "--workspace", "acme-pdf", "--scopes", "keys.write", "--expires", "1d")
    for number in range(25):
        desk.graphql(
            token, "keys/create", name=f"Worker {number}", environment="production", permissions=["pdf.generate", "pdf.read"]
        )
    new = Person.open_browser(chromium, desk.url)
    transferred = Transferred(new.page)
    new.open("/sign-in")
    new.fill(email=EMAIL, password=PASSWORD)
    new.press("Sign in")
    new.page.wait_for_url("**/w/acme-pdf")
    new.page.wait_for_load_state("networkidle")
    first, files = transferred.take()
    assert first < FIRST_VISIT
    assert sum(url.endswith("inter-latin.woff2") for url in files) == 1
    for path in (KEYS, "/w/acme-pdf", f"{KEYS}/new", "/w/acme-pdf/checklist", "/w/acme-pdf/settings/audit-log", "/docs/graphql"):
        new.open(path)
        new.page.wait_for_load_state("networkidle")
        later, files = transferred.take()
        assert 500 < later < LATER_PAGE, (path, later)
        # The files of every page come from the browser's cache.
        assert [url for url in files if "/static/" in url and "docs.css" not in url and "palette" not in url] == [], path
    new.context.close()


def test_text_keeps_its_width_when_the_typeface_arrives(desk: Desk, chromium: Browser) -> None:
    found = []
    for blocked in (True, False):
        context = chromium.new_context(viewport={"width": 1440, "height": 900})
        if blocked:
            context.route("**/*.woff2", lambda route: route.abort())
        page = context.new_page()
        page.goto(f"{desk.url}/docs/rotation")
        page.evaluate("() => document.fonts.ready")
        assert page.evaluate("() => document.fonts.check('16px Inter')") is not blocked
        found.append(page.evaluate("() => document.querySelector('main').getBoundingClientRect().height"))
        context.close()
    without, with_it = found
    # A few lines break elsewhere.
    assert abs(without - with_it) / with_it < 0.02
