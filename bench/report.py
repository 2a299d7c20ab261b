"""Reports results as a table or, with --json, as data: medians of interleaved rounds, and ratios to a baseline of each round."""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bench.launch import DATABASES
from bench.load import Figures

Measure = Callable[[str, int, int, int], dict[str, Any]]


@dataclass
class Report:
    """`against` names each measured route's baseline, `targets` the minimum ratio of requests per second. `floors` names the route
    with whose CPU time per request a route's own is compared, `most` the maximum ratio."""

    against: dict[str, str]
    targets: dict[str, float] = field(default_factory=dict)
    floors: dict[str, str] = field(default_factory=dict)
    most: dict[str, float] = field(default_factory=dict)

    def of(self, database: str, found: dict[str, list[Figures]]) -> dict[str, Any]:
        routes = {name: self._route(found, name, rounds) for name, rounds in found.items()}
        return {"database": database, "routes": routes}

    def _route(self, found: dict[str, list[Figures]], name: str, rounds: list[Figures]) -> dict[str, Any]:
        middle = Figures.median(rounds)
        figures: dict[str, Any] = {"rate": round(middle.rate), "p50": round(middle.p50, 2), "p99": round(middle.p99, 2)}
        if middle.cpu is not None:
            figures["cpuMicroseconds"] = round(middle.cpu)
        if floor := self.floors.get(name):
            pairs = list(zip(rounds, found[floor], strict=True))
            ratios = [own.cpu / least.cpu for own, least in pairs if own.cpu is not None and least.cpu]
            figures |= {"floor": floor, "cpuRatio": round(statistics.median(ratios), 2) if ratios else None}
            if most := self.most.get(name):
                figures["cpuRatioWanted"] = most
        if baseline := self.against.get(name):
            pairs = list(zip(rounds, found[baseline], strict=True))
            ratio = statistics.median(own.rate / other.rate for own, other in pairs)
            figures |= {"against": baseline, "ratio": round(ratio, 2)}
            figures["p99Ratio"] = round(statistics.median(own.p99 / other.p99 for own, other in pairs), 2)
            if target := self.targets.get(name):
                figures |= {"target": target}
        return figures


def show(result: dict[str, Any]) -> None:
    """Prints a table."""
    print(
        f"\n{result['database']}\n{'':34}{'req/s':>8}{'p50 ms':>9}{'p99 ms':>9}{'cpu µs':>8}{'× floor':>9}"
        f"{'ratio':>8}{'p99 ratio':>11}"
    )
    for name, route in result["routes"].items():
        line = f"{name:34}{route['rate']:>8,}{route['p50']:>9.2f}{route['p99']:>9.2f}{route.get('cpuMicroseconds', '?'):>8}"
        line += f"{route.get('cpuRatio') or '':>9}"
        if "ratio" in route:
            line += f"{route['ratio']:>8.2f}{route['p99Ratio']:>11.2f}  of {route['against']}"
        line += f", at least {route['target']} wanted" if "target" in route else ""
        print(line + (f"; cpu at most {route['cpuRatioWanted']} × {route['floor']} wanted" if "cpuRatioWanted" in route else ""))
    if "counted" in result:
        print(f"{result['counted']:,} requests are counted in the database")


def run(
    description: str, measure: Callable[[str, int, int, int], dict[str, Any]], *, rounds: int, seconds: int, connections: int
) -> None:
    """The command line of a benchmark; the numbers are its defaults."""
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
    parser.add_argument("--rounds", type=int, default=rounds, help=f"number of interleaved rounds (default {rounds})")
    parser.add_argument("--seconds", type=int, default=seconds, help=f"duration of each route in a round (default {seconds})")
    parser.add_argument("--connections", type=int, default=connections, help=f"concurrent connections (default {connections})")
    parser.add_argument("--database", choices=[*DATABASES, "both"], default="both")
    parser.add_argument("--json", action="store_true", help="print only the results, as JSON")
    return parser.parse_args()
