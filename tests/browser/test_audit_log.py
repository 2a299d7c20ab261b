"""The audit log: each entry in two lines at most, names that lead to keys, and filters without a reload."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.conftest import Desk, Person

LINES = """() => [...document.querySelectorAll("td.who")].map((cell) => {
  const range = document.createRange();
  range.selectNodeContents(cell);
  return new Set([...range.getClientRects()].map((each) => Math.round(each.top))).size;
})"""


def test_each_entry_has_its_person_in_one_line_and_its_key_as_a_link(ada: Person, desk: Desk) -> None:
    ada.create_key("Billing worker")
    ada.open("/w/acme-pdf/settings/audit-log")
    for width in (1024, 1280, 1440):
        ada.page.set_viewport_size({"width": width, "height": 900})
        lines = ada.page.evaluate(LINES)
        assert len(lines) >= 2 and set(lines) == {1}, width
    expect(ada.page.locator("tr.day")).to_have_count(1)
    ada.page.get_by_label("Action", exact=True).select_option(label="Key created")
    expect(ada.page.locator("tr[id^=aud_]")).to_have_count(1)
    ada.follow("“Billing worker”")
    expect(ada.page).to_have_url(re.compile(r"/api-keys/key_\w+$"))
    ada.follow("View this key in the audit log")
    expect(ada.page.locator("tr[id^=aud_]")).to_have_count(1)
