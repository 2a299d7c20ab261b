"""`make screenshots`: photographs the demo's pages for the README and the documentation, into docs/img."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, Page

from tests.support import commands
from tests.support.chromium import launched
from tests.support.processes import ROOT, without_settings
from tests.support.server import Server

FOLDER: Final = ROOT / "docs" / "img"
HOME: Final = "/w/acme"
KEYS: Final = f"{HOME}/settings/api-keys"
SIZE: Final = (1280, 800)


@dataclass(frozen=True)
class Picture:
    """One page of the demo, as far as a window of SIZE shows it. `key`: the name of a key, whose page, or what is `below` it, is
    meant."""

    name: str
    path: str
    key: str | None = None
    below: str = ""


PICTURES: Final = (
    Picture("overview", HOME),
    Picture("api-keys", KEYS),
    Picture("api-key", KEYS, key="CI pipeline"),
    Picture("rotation", KEYS, key="Shop checkout", below="/rotation"),
)


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment = {"KEYDESK_DATABASE_URL": f"sqlite:///{folder}/keydesk.db"}
        made = commands.run(["demo"], without_settings() | environment | {"KEYDESK_DEV": "1"})
        if made.returncode:
            sys.exit(made.stderr)
        with Server(environment, folder).running() as server, launched() as browser:
            page = _signed_in(browser, server.url, made.stdout.splitlines()[-1])
            for picture in PICTURES:
                _take(page, server.url, picture)


def _signed_in(browser: Browser, url: str, password: str) -> Page:
    width, height = SIZE
    page = browser.new_page(viewport={"width": width, "height": height}, reduced_motion="reduce")
    page.goto(f"{url}/sign-in")
    page.locator("[name=email]").fill("ada@example.com")
    page.locator("[name=password]").fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"**{HOME}")
    return page


def _take(page: Page, url: str, picture: Picture) -> None:
    page.goto(url + picture.path)
    if picture.key:
        address = page.get_by_role("main").get_by_role("link", name=picture.key, exact=True).first.get_attribute("href")
        page.goto(f"{url}{address}{picture.below}")
    page.screenshot(path=FOLDER / f"{picture.name}.png")
    print(FOLDER / f"{picture.name}.png")


if __name__ == "__main__":
    main()
