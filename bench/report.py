"""Figures for people and, with --json, for programs: medians of interleaved rounds, and ratios to a yardstick of the same round."""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bench.load import Figures
from bench.place import DATABASES

Measure = Callable[[str, int, int, int], dict[str, Any]]


@dataclass
class Report:
    """`against` names each measured route's yardstick, `targets` the least ratio of requests per second."""

    against: dict[str, str]
    targets: dict[str, float] = field(default_factory=dict)

    def of(self, database: str, found: dict[str, list[Figures]]) -> dict[str, Any]:
        routes = {name: self._route(found, name, rounds) for name, rounds in found.items()}
        return {"database": database, "routes": routes}

    def _route(self, found: dict[str, list[Figures]], name: str, rounds: list[Figures]) -> dict[str, Any]:
        middle = Figures.median(rounds)
        told: dict[str, Any] = {"rate": round(middle.rate), "p50": round(middle.p50, 2), "p99": round(middle.p99, 2)}
        if middle.cpu is not None:
            told["cpuMicroseconds"] = round(middle.cpu)
        if yardstick := self.against.get(name):
            pairs = list(zip(rounds, found[yardstick], strict=True))
            ratio = statistics.median(own.rate / other.rate for own, other in pairs)
            told |= {"against": yardstick, "ratio": round(ratio, 2)}
            told["p99Ratio"] = round(statistics.median(own.p99 / other.p99 for own, other in pairs), 2)
            if target := self.targets.get(name):
                told |= {"target": target}
        return told


def show(result: dict[str, Any]) -> None:
    """A table."""
    print(f"\n{result['database']}\n{'':34}{'req/s':>8}{'p50 ms':>9}{'p99 ms':>9}{'cpu µs':>8}{'ratio':>8}{'p99 ratio':>11}")
    for name, route in result["routes"].items():
        line = f"{name:34}{route['rate']:>8,}{route['p50']:>9.2f}{route['p99']:>9.2f}{route.get('cpuMicroseconds', '?'):>8}"
        if "ratio" in route:
            line += f"{route['ratio']:>8.2f}{route['p99Ratio']:>11.2f}  of {route['against']}"
        print(line + (f", at least {route['target']} wanted" if "target" in route else ""))
    if "counted" in result:
        print(f"{result['counted']:,} requests are counted in the database")


def run(
    description: str, measure: Callable[[str, int, int, int], dict[str, Any]], *, rounds: int, seconds: int, connections: int
) -> None:
    """The command line of a benchmark; the numbers are what it takes when nothing is said."""
    given = _options(description, rounds, seconds, connections)
    results = []
    for database in DATABASES if given.database == "both" else (given.database,):
        results.append(measure(database, given.rounds, given.seconds, given.connections))
        if not given.json:
            show(results[-1])
    if given.json:
        print(json.dumps(results, indent=2))


def _options(description: str, rounds: int, seconds: int, connections: int) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--rounds", type=int, default=rounds, help=f"interleaved rounds, {rounds} if left out")
    parser.add_argument("--seconds", type=int, default=seconds, help=f"of each route in a round, {seconds} if left out")
    parser.add_argument("--connections", type=int, default=connections, help=f"at once, {connections} if left out")
    parser.add_argument("--database", choices=[*DATABASES, "both"], default="both")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON and nothing else")
    return parser.parse_args()
