"""No page scrolls sideways: every page at every width between a small phone and a wide screen, with very long names."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.browser.conftest import Application, Desk, Person
from tests.support.routes import filled, routes

WIDTHS = (320, 360, 480, 640, 761, 768, 900, 1024, 1100, 1180, 1280, 1366, 1440, 1600)
# Answers that are not pages: files, data, streams, one-time links, and redirects.
NO_PAGES = re.compile(r"\{token\}|^/docs|/calendar/|/events$|^/graphql/|^/$|^/settings/|/settings$|\.(csv|jsonl)$")
LONG = "Billing worker of the northern region, second shift, with averyverylongnamethatgoesonandonandonandon"[:100]
UNBROKEN = "x" * 100
# Overflow: of the page beyond the window, and of a card's content beyond its edge; and actions that do not fit beside a heading.
SIDEWAYS = """() => {
  const root = document.documentElement, found = root.scrollWidth > innerWidth ? [["the page", root.scrollWidth - innerWidth]] : [];
  for (const card of document.querySelectorAll(".card, .once, table"))
    if (card.scrollWidth > card.clientWidth) found.push([card.innerText.slice(0, 40), card.scrollWidth - card.clientWidth]);
  for (const actions of innerWidth < 1280 ? [] : document.querySelectorAll(".head > .do"))
    if (actions.offsetTop >= actions.parentElement.firstElementChild.getBoundingClientRect().bottom + scrollY)
      found.push(["actions below the heading", actions.offsetHeight]);
  return found;
}"""


def test_no_page_and_no_table_overflows(ada: Person, desk: Desk, gateway: str) -> None:
    found = [problem for path in paths(furnish(ada, desk, gateway)) for problem in sideways(ada, path)]
    assert found == []


def sideways(person: Person, path: str) -> Iterator[str]:
    """The overflowing elements of a page, at each width."""
    person.open(path)
    assert person.page.locator("h1").count() == 1, path
    person.page.evaluate("() => document.querySelectorAll('main details').forEach((each) => { each.open = true; })")
    for width in WIDTHS:
        person.page.set_viewport_size({"width": width, "height": 900})
        for what, pixels in person.page.evaluate(SIDEWAYS):
            yield f"{path} at {width}: {what} by {pixels} px"


def paths(things: list[dict[str, str]]) -> list[str]:
    """Every page of the dashboard for each of these objects; and the list with filters."""
    pages = [route for route in routes("GET") if not NO_PAGES.search(route)]
    found = dict.fromkeys(filled(route, each) for route in pages for each in things)
    return [
        *found,
        *(f"/w/acme-pdf/settings/api-keys?{asked}" for asked in ("sort=rotate", "q=nothing-is-called-so", f"label={'n' * 63}")),
    ]


def furnish(ada: Person, desk: Desk, gateway: str) -> list[dict[str, str]]:
    """Fills a workspace with long names; returns the objects that its pages can show, for each key."""
    desk.run("set-plan", "acme-pdf", "scale_enterprise")
    token = desk.run("management-key", "create", "--workspace", "acme-pdf", "--scopes", "keys.write", "--expires", "1d")
    labels = [{"name": f"{number}{'n' * 62}", "value": "v" * 100} for number in range(4)]
    written = {"description": f"{LONG}\n{UNBROKEN * 3}", "labels": labels}
    made = [
        desk.graphql(token, "keys/create", name=name, environment="production", permissions=["pdf.generate", "pdf.read"], **more)
        for name, more in ((LONG, written), (UNBROKEN, written), ("Short", {}))
    ]
    requests = [
        Application(desk, gateway, UNBROKEN, "2001:db8:ffff:ffff::1", key["secret"], permission="template.write").refusal()
        for key in made
    ]
    for key in made:
        for name, ip in ((LONG, "2001:db8:ffff:ffff::1"), (UNBROKEN, "203.0.113.9"), ("cron", "198.51.100.7")):
            Application(desk, gateway, name, ip, key["secret"]).calls()
    keys = [str(key["apiKey"]["id"]) for key in made]
    desk.graphql(token, "rotations/start", id=keys[0])
    desk.graphql(token, "keys/suspend", id=keys[2])
    ada.open("/w/acme-pdf/settings/workspace")
    ada.fill(name=LONG)
    ada.press("Save")
    ada.page.get_by_text("Saved.").wait_for()
    ada.open("/w/acme-pdf/settings/members")
    ada.fill(email=f"{'i' * 60}@{'example.' * 6}com")
    ada.press("Invite member")
    ada.page.locator("[data-secret]").wait_for()
    ada.open("/w/acme-pdf/settings/members")
    user = str(ada.page.locator("tr[id^=usr_]").first.get_attribute("id"))
    ada.open("/w/acme-pdf/settings/webhooks/new")
    ada.fill(name=LONG, url=f"https://hooks.example.com/{UNBROKEN * 3}")
    ada.press("Create webhook")
    ada.page.locator("[data-secret]").wait_for()
    ada.open("/w/acme-pdf/settings/webhooks")
    webhook = str(ada.page.locator("tr[id^=whk_]").first.get_attribute("id"))
    ada.open(f"/w/acme-pdf/settings/webhooks/{webhook}")
    ada.press("Send test message")
    ada.page.locator("tr[id^=whd_]").wait_for()
    ada.open("/w/acme-pdf/settings/management-keys/new")
    ada.fill(name=UNBROKEN, allowedIps="\n".join(f"2001:db8:ffff:ffff:ffff:ffff:{group:x}:0/112" for group in range(1, 6)))
    for box in ada.page.locator("[name=scopes]").all():
        box.check()
    ada.press("Create management key")
    ada.page.locator("#secret").wait_for()
    ada.open("/w/acme-pdf/settings/management-keys")
    management_key = str(ada.page.locator("tr[id^=mgk_]").first.get_attribute("id"))
    common = {"slug": "acme-pdf", "name": "growth", "user_id": user, "webhook_id": webhook, "management_key_id": management_key}
    return [common | {"key_id": key, "request_id": request} for key, request in zip(keys, requests, strict=True)]
