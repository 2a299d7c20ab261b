"""The documentation in a browser: signed out, narrow and wide, light and dark, printed."""

from __future__ import annotations

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect
from pypdf import PdfReader

from app.paths import DOCS
from tests.browser.conftest import Desk, Person
from tests.browser.test_widths import sideways

GUIDES = [
    "",
    *(f"/{path.stem}" for path in sorted(DOCS.glob("*.md")) if path.stem != "README"),
    "/decisions",
    "/decisions/0013-append-then-fold",
]


@pytest.fixture
def reader(chromium: Browser, desk: Desk) -> Person:
    """Someone who has not signed in."""
    return Person.open_browser(chromium, desk.url, permissions=["clipboard-read", "clipboard-write"])


def test_every_guide_is_accessible_and_fits_every_width(reader: Person) -> None:
    wrong: list[str] = []
    for guide in GUIDES:
        wrong += sideways(reader, f"/docs{guide}")
        for scheme in ("light", "dark"):
            reader.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
            wrong += [f"{guide} {scheme}: {each['id']}" for each in Axe().run(reader.page).response["violations"]]
    assert wrong == [] and reader.complaints == []


def test_code_is_copied_and_links_lead_to_their_sections(reader: Person) -> None:
    reader.open("/docs/verification")
    block = reader.page.locator(".copyable").first
    block.get_by_role("button").click()
    expect(block.get_by_role("button")).to_have_text("Copied code")
    copied = reader.page.evaluate("() => navigator.clipboard.readText()")
    assert copied and copied == (block.locator("pre").text_content() or "").strip()
    reader.page.get_by_role("navigation", name="On this page").get_by_role("link", name="Errors").click()
    expect(reader.page.get_by_role("heading", name="Errors")).to_be_in_viewport()
    reader.page.get_by_role("article").get_by_role("link", name="client", exact=True).first.click()
    expect(reader.page.get_by_role("heading", level=1)).to_have_text("The client")
    assert reader.complaints == []


def test_a_printed_guide_has_its_text_and_no_navigation(reader: Person, tmp_path: Path) -> None:
    reader.page.emulate_media(color_scheme="dark")
    reader.open("/docs/rotation")
    reader.page.emulate_media(media="print", color_scheme="dark")
    assert reader.page.evaluate("() => getComputedStyle(document.documentElement).backgroundColor") == "rgb(251, 250, 247)"
    reader.page.pdf(path=tmp_path / "rotation.pdf")
    text = "".join(each.extract_text() for each in PdfReader(tmp_path / "rotation.pdf").pages)
    assert "Rotation that finishes on evidence" in text
    assert "Protect an API" not in text and "On this page" not in text and "Copy" not in text.split()
