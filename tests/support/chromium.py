"""A browser for the tests: the system's Chromium, else Playwright's; without either, fails with the command to install one."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Playwright, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# As root, Chromium cannot use its sandbox; the other options stop its background requests, which a closed network refuses.
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
HOW = "Browser tests need Chromium. On Debian: apt-get install chromium. Elsewhere: .venv/bin/playwright install chromium"


@contextlib.contextmanager
def launched() -> Iterator[Browser]:
    """Fails, and never skips, without a browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_executable(playwright), args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


def _executable(playwright: Playwright) -> str:
    own = playwright.chromium.executable_path
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    executable = os.environ.get("KEYDESK_TEST_BROWSER") or found or (own if Path(own).exists() else None)
    if executable is None:
        pytest.fail(HOW, pytrace=False)
    return executable
