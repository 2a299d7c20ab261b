"""How well the rules find labeled incidents in a simulated world, and what evaluating them costs.

Run from the project's root: `.venv/bin/python bench/anomalies --seeds 101 102 103`.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import msgspec

from app.alerts import rules
from app.alerts.alert import OF_USE
from app.alerts.baseline import Baseline
from app.clock import SECOND
from bench.anomalies.replay import Replay
from bench.anomalies.world import LENGTH_DAYS, SimulatedKey, text, world

ACTIVE_KEYS: Final = 10_000
EVALUATIONS_A_MINUTE: Final = 2


def measured(seed: int, keys: int, *, verbose: bool) -> dict[str, Any]:
    """Replays a world; the figures of each rule and of all."""
    baselines: dict[int, Baseline] = {}
    replays = [Replay(key, baselines) for key in world(seed, keys)]
    for replay in replays:
        replay.run()
    figures: dict[str, Any] = {"seed": seed, "keys": len(replays), "days": LENGTH_DAYS}
    figures["rules"] = {str(kind): _of_rule(replays, kind) for kind in OF_USE}
    alerts = [raised for replay in replays for raised in replay.raised]
    delays = [delay for replay in replays for incident in replay.key.incidents if (delay := _delay(replay, incident)) is not None]
    incidents = sum(len(replay.key.incidents) for replay in replays)
    false = [sum(not raised.true for raised in replay.raised) for replay in replays]
    figures["all"] = {
        "incidents": incidents,
        "alerts": len(alerts),
        "precision": sum(raised.true for raised in alerts) / len(alerts),
        "recall": len(delays) / incidents,
        "seconds": statistics.median(delays) / SECOND,
        "falseAlerts": sum(false),
        "keysWithFalseAlerts": sum(map(bool, false)),
        "mostFalseAlertsOfAKey": max(false),
    }
    figures["evaluations"] = sum(replay.evaluations for replay in replays)
    figures["cpuSecondsAMinute"] = _cost(replays)
    if verbose:
        _explain(replays)
    return figures


def _of_rule(replays: list[Replay], kind: str) -> dict[str, Any]:
    raised = [each for replay in replays for each in replay.raised if each.kind == kind]
    labeled = [(replay, incident) for replay in replays for incident in replay.key.incidents if incident.kind == kind]
    delays = [delay for replay, incident in labeled if (delay := _delay(replay, incident)) is not None]
    return {
        "incidents": len(labeled),
        "alerts": len(raised),
        "precision": sum(each.true for each in raised) / len(raised) if raised else 1.0,
        "recall": len(delays) / len(labeled) if labeled else 1.0,
        "seconds": statistics.median(delays) / SECOND if delays else 0.0,
    }


def _delay(replay: Replay, incident: Any) -> int | None:
    """From when there was enough evidence to the alert; None if it was never raised."""
    found = [
        each.at
        for each in replay.raised
        if each.kind == incident.kind and incident.begins <= each.at <= incident.ends + 3_600 * SECOND
    ]
    return max(0, found[0] - incident.evident_at) if found else None


def _cost(replays: list[Replay]) -> float:
    """CPU seconds a minute for ACTIVE_KEYS that are all evaluated as often as may be: decoding the baseline, and all rules."""
    usual = [replay.situation for replay in replays if replay.situation is not None]
    encoded = [msgspec.json.encode(situation.baseline) for situation in usual]
    decoder = msgspec.json.Decoder(Baseline)
    began = time.process_time()
    for number in range(ACTIVE_KEYS):
        decoder.decode(encoded[number % len(usual)])
        rules.evaluate(usual[number % len(usual)])
    return (time.process_time() - began) * EVALUATIONS_A_MINUTE


def _explain(replays: list[Replay]) -> None:
    for replay in replays:
        key: SimulatedKey = replay.key
        for each in replay.raised:
            if not each.true:
                print(f"  false  {each.kind:24} {key.style:9} {text(each.at)} {key.place.zone}")
        for incident in key.incidents:
            if _delay(replay, incident) is None:
                print(f"  missed {incident.kind:24} {key.style:9} {text(incident.begins)} rate {key.rate:.0f} {len(key.events)}")


def _show(figures: dict[str, Any]) -> None:
    print(f"\nseed {figures['seed']}: {figures['keys']} keys, {figures['days']} days")
    print(f"{'':26}{'incidents':>10}{'alerts':>8}{'precision':>11}{'recall':>8}{'seconds to alert':>18}")
    for name, row in {**figures["rules"], "all": figures["all"]}.items():
        print(
            f"{name:26}{row['incidents']:>10}{row['alerts']:>8}{row['precision']:>11.3f}{row['recall']:>8.3f}{row['seconds']:>18.1f}"
        )
    all = figures["all"]
    print(
        f"{all['falseAlerts']} false alerts, of {all['keysWithFalseAlerts']} keys, at most {all['mostFalseAlertsOfAKey']} of one;"
        f" {figures['evaluations']:,} evaluations; the rules need {figures['cpuSecondsAMinute']:.2f} s of CPU a minute"
        f" for {ACTIVE_KEYS:,} active keys"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[101, 102, 103])
    parser.add_argument("--keys", type=int, default=240)
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    results = [measured(seed, given.keys, verbose=given.verbose) for seed in given.seeds]
    if given.json:
        print(msgspec.json.encode(results).decode())
        return
    for figures in results:
        _show(figures)


if __name__ == "__main__":
    main()
