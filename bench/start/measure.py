"""How long `keydesk serve` takes from its start to the first verdict of /v1/verify, on an existing database with keys: the medians
of the elapsed time and of the CPU time that its processes have used by then."""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from pathlib import Path
from typing import Final

from bench import node, sample
from bench.launch import DATABASES, installed

KEYS: Final = 100
ROUNDS: Final = 7
TARGET_SECONDS: Final = 0.8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=[*DATABASES, "both"], default="sqlite")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"number of starts (default {ROUNDS})")
    given = parser.parse_args()
    for name in DATABASES if given.database == "both" else (given.database,):
        with installed(name) as (folder, variables):
            data = asyncio.run(node.fill(variables, lambda: sample.fill(KEYS)))
            found = [_start(variables, folder, data) for _ in range(given.rounds)]
        _show(name, found)


def _start(variables: dict[str, str], folder: Path, data: sample.Sample) -> tuple[float, float]:
    """The elapsed time and the CPU time of one start, in seconds."""
    with node.serving(variables, folder) as started:
        started.wait_for_verdict(data.gateway_token, data.keys[1])
        return time.perf_counter() - started.began, started.cpu_seconds()


def _show(name: str, found: list[tuple[float, float]]) -> None:
    elapsed, cpu = (statistics.median(each) for each in zip(*found, strict=True))
    print(f"{name}: the first verdict after {elapsed:.2f} s, {cpu:.2f} s of CPU time; under {TARGET_SECONDS} s wanted")
