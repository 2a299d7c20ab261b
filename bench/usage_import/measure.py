"""How long `keydesk usage import` takes for an access log of a day, and for the same log again: counted exactly, and unchanged.

The requests are of 100 keys, each used from ten networks with two programs, in the order of their times; one in 25 failed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from app import clock, database
from bench import node, sample
from bench.launch import DATABASES, ROOT, installed, without_settings
from tests.support.access_log import line, write

KEYS: Final = 100
NETWORKS: Final = 10
PROGRAMS: Final = ("python-requests/2.32", "curl/8.4")
TARGET_SECONDS: Final = 60
Counts = dict[str, int]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=[*DATABASES, "both"], default="both")
    parser.add_argument("--lines", type=int, default=1_000_000)
    given = parser.parse_args()
    for name in DATABASES if given.database == "both" else (given.database,):
        with installed(name) as (folder, variables):
            log, exact = asyncio.run(node.fill(variables, lambda: _filled(folder, given.lines)))
            for run in ("once", "again"):
                began = time.perf_counter()
                told = _import(log, variables)
                seconds = time.perf_counter() - began
                if asyncio.run(node.fill(variables, _counts)) != exact:
                    raise SystemExit(f"{name}: {run}, the counts are wrong")
                print(f"{name}: {run}, {told['counted']:,} of {told['lines']:,} lines counted in {seconds:.1f} s, exact;"
                      f" under {TARGET_SECONDS} s wanted")  # fmt: skip


def _import(log: Path, variables: dict[str, str]) -> dict[str, Any]:
    command = [sys.executable, "-m", "app", "usage", "import", "--nginx", str(log), "--json"]
    done = subprocess.run(command, cwd=ROOT, env=without_settings() | variables, stdout=subprocess.PIPE, check=True)
    (told,) = json.loads(done.stdout)
    return dict(told)


async def _filled(folder: Path, lines: int) -> tuple[Path, Counts]:
    """A log of requests with keys of the database, and what they come to."""
    await sample.fill(KEYS)
    keys = [row["id"] for row in await database.fetch("SELECT id FROM api_key ORDER BY id LIMIT {}", KEYS)]
    exact = Counter(await _counts())
    log = write(folder / "keydesk.log", _requests(keys, lines, await database.now(), exact))
    return log, dict(exact)


def _requests(keys: list[str], lines: int, now: int, exact: Counter[str]) -> Iterator[str]:
    chance = random.Random(1)
    for number in range(lines):
        failed = number % 25 == 0
        exact["FAILED" if failed else "SUCCEEDED"] += 1
        key, at = chance.randrange(len(keys)), now - clock.DAY + clock.DAY * number // lines
        sent = {"remote_addr": f"10.{key}.{chance.randrange(NETWORKS)}.7", "http_user_agent": chance.choice(PROGRAMS)}
        yield line(keys[key], at, 502 if failed else 200, **sent)


async def _counts() -> Counts:
    rows = await database.fetch("SELECT outcome, SUM(requests) AS n FROM usage_hour GROUP BY outcome")
    return {row["outcome"]: int(row["n"]) for row in rows}
