"""When a person sees a page: the largest contentful paint in Chromium, from a local node, beside that of a static page of the same
size from a plain HTTP server in the same run; and the bytes that were transferred. Once as a new visitor, once with the files in
the browser's cache."""

from __future__ import annotations

import argparse
import asyncio
import functools
import http.server
import statistics
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, Page

from app import database
from app.usage import folding
from bench import node, sample
from bench.launch import DATABASES, installed
from tests.support.chromium import launched

KEYS: Final = 25
DAYS: Final = 30
ROUNDS: Final = 9
TARGET_MS: Final = 300
_YARDSTICK: Final = "a static page"
_PAINT: Final = """() => new Promise((resolve) => {
  const observer = new PerformanceObserver((list) => resolve(list.getEntries().at(-1).startTime));
  observer.observe({ type: "largest-contentful-paint", buffered: true });
})"""
_TRANSFERRED: Final = """() => performance.getEntries().filter((each) => "transferSize" in each)
  .reduce((sum, each) => sum + each.transferSize, 0)"""
Figures = list[tuple[float, float]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=DATABASES, default="sqlite")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"visits of each page (default {ROUNDS})")
    given = parser.parse_args()
    with installed(given.database) as (folder, variables):
        large = asyncio.run(node.fill(variables, _fill))
        with node.serving(variables, folder) as started, launched() as browser:
            started.wait_until_ready()
            base = f"http://127.0.0.1:{started.port}"
            paths = {"the sign-in page": "/sign-in", "the overview": large.overview_path.partition("?")[0]}
            addresses = {name: base + path for name, path in {**paths, "25 keys": large.keys_path, "a key": large.key_path}.items()}
            with _yardstick(folder, _content(browser, addresses["25 keys"], base, large.session)) as static:
                _measure({_YARDSTICK: static, **addresses}, browser, base, large.session, given.rounds)


async def _fill() -> sample.LargeWorkspace:
    large = await sample.fill_large(KEYS, DAYS)
    await folding.close_days(await database.now())
    return large


def _measure(addresses: dict[str, str], browser: Browser, base: str, session: str, rounds: int) -> None:
    new: dict[str, Figures] = {name: [] for name in addresses}
    again: dict[str, Figures] = {name: [] for name in addresses}
    for _ in range(rounds + 1):  # the first is not counted
        for name, address in addresses.items():
            with _visitor(browser, base, "" if name == "the sign-in page" else session) as page:
                new[name].append(_visit(page, address))
                again[name].append(_visit(page, address))
    print(f"{'':18}{'new visitor':>14}{'kB':>8}{'again':>12}{'kB':>8}   wanted: < {TARGET_MS} ms")
    for name in addresses:
        (first, first_bytes), (later, later_bytes) = (_medians(each[name][1:]) for each in (new, again))
        print(f"{name:18}{first:>11.0f} ms{first_bytes / 1000:>8.1f}{later:>9.0f} ms{later_bytes / 1000:>8.1f}")


def _visit(page: Page, address: str) -> tuple[float, float]:
    """Milliseconds to the largest contentful paint, and bytes."""
    answer = page.goto(address, wait_until="load")
    if answer is None or answer.status != 200:
        raise SystemExit(f"{address} was answered with {answer and answer.status}.")
    return page.evaluate(_PAINT), page.evaluate(_TRANSFERRED)


def _medians(found: Figures) -> tuple[float, float]:
    times, sizes = zip(*found, strict=True)
    return statistics.median(times), statistics.median(sizes)


@contextmanager
def _visitor(browser: Browser, base: str, session: str) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    if session:
        context.add_cookies([{"name": "keydesk-session", "value": session, "url": base}])
    yield context.new_page()
    context.close()


def _content(browser: Browser, address: str, base: str, session: str) -> str:
    with _visitor(browser, base, session) as page:
        answer = page.goto(address)
        return answer.text() if answer else ""


@contextmanager
def _yardstick(folder: Path, content: str) -> Iterator[str]:
    """The address of a page with as many bytes of plain text, from a server of the standard library."""
    words = "Plain text of a page without anything else. " * (len(content) // 44)
    (folder / "static.html").write_text(f"<!doctype html><title>Static</title><h1>Static</h1><p>{words}</p>")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/static.html"
    server.shutdown()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Says nothing."""
