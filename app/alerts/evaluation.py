"""Evaluates the keys that were used: reads what rules need in a few statements for many keys, and raises what they find.

For a job that one node at a time does. A key is evaluated within seconds of its first use, and then at most once in EVERY, the one
that waits longest first, so that no number of other keys delays it.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Final

from app import database
from app.alerts import incident_store, learning, lifecycle, rules
from app.alerts.alert import Kind
from app.alerts.baseline import Baseline, Hour, Visit, pooled
from app.alerts.incident_store import Watched
from app.alerts.situation import LOOK_BACK, Finding, KeyFacts, Refusal, Situation
from app.clock import HOUR, SECOND, hour_of
from app.pace import in_slices
from app.sessions import store as session_store
from app.usage import recent_store
from app.usage.caller import FOLDED, network_of

EVERY: Final = 30 * SECOND
AT_ONCE: Final = 200
# So many times AT_ONCE are evaluated on what the log held at one moment.
_ROUNDS: Final = 5
# A network is familiar once another key of the workspace has used it for so long.
_FAMILIAR_AFTER: Final = 24 * HOUR
_MOST_BASELINES: Final = 100
_NOTHING: Final = Baseline(0)

Rows = dict[str, list[Sequence[Any]]]


async def run(now: int) -> int:
    """Evaluates every key that waits; returns how many alerts were raised."""
    raised = 0
    while True:
        with database.settled_once():
            for _ in range(_ROUNDS):
                key_ids = await recent_store.take(await database.now(), EVERY, AT_ONCE)
                if not key_ids:
                    return raised
                raised += await evaluate(key_ids)
                await recent_store.done(key_ids)


async def is_wanted(now: int) -> bool:
    return await recent_store.is_any_fresh(now, EVERY)


async def evaluate(key_ids: Sequence[str]) -> int:
    """Evaluates these keys now; returns how many alerts were raised."""
    now = await database.now()
    findings: dict[str, list[tuple[KeyFacts, Finding]]] = defaultdict(list)
    async for situation in in_slices(await _situations(key_ids, now)):
        for finding in rules.evaluate(situation):
            findings[situation.key.workspace_id].append((situation.key, finding))
    return sum([await lifecycle.note(workspace_id, found, now) for workspace_id, found in findings.items()])


async def _situations(key_ids: Sequence[str], now: int) -> list[Situation]:
    watched = await incident_store.watched(key_ids)
    if not watched:
        return []
    homes = {each.key.workspace_id for each in watched}
    places, expected = await incident_store.workspaces(homes), await incident_store.expectations(homes)
    hours = _by_key(await recent_store.hours(key_ids, hour_of(now) - HOUR))
    refusals = _by_key(await recent_store.refusals(key_ids, now - LOOK_BACK))
    visits = _by_key(await recent_store.visits(key_ids, now - LOOK_BACK))
    baselines = await learning.current(watched, now)
    familiar = await _familiar(watched, baselines, visits, now)
    usual = await _usual(watched, baselines, refusals, now)
    return [
        Situation(
            now,
            each.key,
            baselines[each.key.id],
            (place := places[each.key.workspace_id]).timezone,
            place.business_hours,
            tuple(itertools.starmap(Hour, hours.get(each.key.id, ()))),
            tuple(itertools.starmap(Refusal, refusals.get(each.key.id, ()))),
            tuple(itertools.starmap(Visit, visits.get(each.key.id, ()))),
            familiar.get(each.key.workspace_id, frozenset()),
            usual.get(each.key.workspace_id, _NOTHING),
            _expected(expected.get(each.key.workspace_id), each.key.id),
        )
        for each in watched
    ]


async def _familiar(watched: list[Watched], baselines: dict[str, Baseline], visits: Rows, now: int) -> dict[str, frozenset[str]]:
    """For each workspace, those of its keys' new networks that its other keys have used for a while, or its members use now."""
    new = defaultdict[str, set[str]](set)
    for each in watched:
        baseline = baselines[each.key.id]
        if not baseline.is_learning(now):
            seen = {row[0] for row in visits.get(each.key.id, ())}
            new[each.key.workspace_id] |= seen - baseline.networks - {"", FOLDED}
    found = dict[str, frozenset[str]]()
    for workspace_id, networks in new.items():
        if networks:
            elsewhere = await recent_store.seen_elsewhere(workspace_id, sorted(networks), now - _FAMILIAR_AFTER)
            members = {network_of(address) for address in await session_store.addresses_in(workspace_id)}
            found[workspace_id] = frozenset(elsewhere | (members & networks))
    return found


async def _usual(watched: list[Watched], baselines: dict[str, Baseline], refusals: Rows, now: int) -> dict[str, Baseline]:
    """What is usual for the failures of a workspace, where a young key has any."""
    wanted = {each.key.workspace_id for each in watched if each.key.id in refusals and baselines[each.key.id].is_learning(now)}
    return {home: pooled(await incident_store.baselines_of(home, _MOST_BASELINES)) for home in sorted(wanted)}


def _expected(of_workspace: dict[str, dict[Kind, frozenset[str]]] | None, key_id: str) -> dict[Kind, frozenset[str]]:
    if of_workspace is None:
        return {}
    found = dict(of_workspace.get("", {}))
    for kind, values in of_workspace.get(key_id, {}).items():
        found[kind] = found.get(kind, frozenset()) | values
    return found


def _by_key(rows: Iterable[Sequence[Any]]) -> Rows:
    found: Rows = {}
    for row in rows:
        found.setdefault(row[0], []).append(row[1:])
    return found
