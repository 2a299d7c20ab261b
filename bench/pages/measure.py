"""What the list of 25 keys, the page of one key and the overview of a year cost the server in a workspace of 500 keys, each with a
year of usage and 200 callers: medians of CPU time and of elapsed time, in this process through the whole ASGI application, without
a socket. Days are closed first, as a job does."""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import statistics
import time
from collections.abc import Mapping
from typing import Any, Final

from app import database
from app.main import create_app
from app.settings import Settings
from app.usage import folding
from bench import sample
from bench.launch import DATABASES, installed
from bench.load import HOST

KEYS: Final = 500
ROUNDS: Final = 40
# Wanted elapsed milliseconds.
TARGETS: Final = {"the list of 25 keys": 25, "the page of a key": 25, "the overview of a year": 200}
_PREPARE: Final = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=[*DATABASES, "both"], default="both")
    parser.add_argument("--days", type=int, default=365, help="days of usage of each key (default 365)")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"how often each page is fetched (default {ROUNDS})")
    parser.add_argument("--profile", metavar="FILE", help="write a profile of these requests")
    given = parser.parse_args()
    for name in DATABASES if given.database == "both" else (given.database,):
        with installed(name) as (_, variables):
            asyncio.run(_measure(name, Settings.load(variables), given))


async def _measure(name: str, settings: Settings, given: argparse.Namespace) -> None:
    app = create_app(settings)
    async with app.running():
        await app.compile_templates()
        large = await sample.fill_large(KEYS, given.days)
        await folding.close_days(await database.now())
        if name == "postgres":
            await database.fetch("ANALYZE")
        headers = [(b"host", HOST.encode()), (b"cookie", f"keydesk-session={large.session}".encode())]
        pages = dict(zip(TARGETS, (large.keys_path, large.key_path, large.overview_path), strict=True))
        for path in pages.values():
            for _ in range(_PREPARE):
                await _fetch(app, path, headers)
        profile = cProfile.Profile()
        if given.profile:
            profile.enable()
        found: dict[str, list[tuple[float, float]]] = {page: [] for page in pages}
        for _ in range(given.rounds):
            for page, path in pages.items():
                found[page].append(await _fetch(app, path, headers))
        profile.disable()
        if given.profile:
            profile.dump_stats(given.profile)
    _show(name, found)


def _show(name: str, found: Mapping[str, list[tuple[float, float]]]) -> None:
    print(f"\n{name}\n{'':24}{'cpu ms':>8}{'elapsed ms':>12}{'wanted':>9}")
    for page, figures in found.items():
        cpu, elapsed = (statistics.median(each) for each in zip(*figures, strict=True))
        print(f"{page:24}{cpu:>8.1f}{elapsed:>12.1f}{'< ' + str(TARGETS[page]):>9}")


async def _fetch(app: Any, address: str, headers: list[tuple[bytes, bytes]]) -> tuple[float, float]:
    """CPU time and elapsed time of one request, in milliseconds; CPU time includes the threads of SQLite, but not PostgreSQL."""
    path, _, query = address.partition("?")
    scope: Mapping[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 40_000),
        "server": ("localhost", 8000),
    }
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    cpu, began = time.process_time(), time.perf_counter()
    await app(scope, receive, send)
    figures = (time.process_time() - cpu) * 1000, (time.perf_counter() - began) * 1000
    if sent[0]["status"] != 200:
        raise SystemExit(f"{address} was answered with {sent[0]['status']}.")
    return figures
