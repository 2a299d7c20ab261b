"""Merges uses of keys: many requests become few rows of the counters."""

from __future__ import annotations

import collections
import itertools
from collections.abc import Iterable, Iterator
from typing import Any, Final, TypeAlias

import msgspec

from app.database.statements import Upsert
from app.pace import in_slices
from app.request_log.request import ACCEPTED, MOST_ACCEPTED, MOST_REFUSED
from app.usage.counters import COUNTED, CounterBatch, Use

Latest: TypeAlias = dict[str, collections.deque[Use]]
# The values of a use that say what is counted; the others are merged.
_SLOT: Final = 6
_COUNTED: Final = 10
# So many requests are logged by one fold; each costs about as much as a merged use.
MOST_ACCEPTED_AT_ONCE: Final = 100
MOST_REFUSED_AT_ONCE: Final = 200
# Keys whose ids begin with the same characters, of which two are random, are neighbors.
_NEIGHBORS: Final = 6
_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder(list[Use])


def encoded(uses: list[Use]) -> str:
    """The uses as a row of the log."""
    return _ENCODER.encode(uses).decode()


def decoded(row: str) -> list[Use]:
    return _DECODER.decode(row)


class Merger:
    """Merges uses into one for each key, hour, permission, outcome and caller, and chooses which single requests are logged."""

    def __init__(self) -> None:
        self._found: dict[tuple[object, ...], list[Any]] = {}
        self._accepted: Latest = collections.defaultdict(lambda: collections.deque(maxlen=MOST_ACCEPTED))
        self._refused: Latest = collections.defaultdict(lambda: collections.deque(maxlen=MOST_REFUSED))

    def add(self, uses: list[Use]) -> None:
        for use in uses:
            if use.request_id is not None:
                (self._accepted if use.outcome == ACCEPTED else self._refused)[use.key_id].append(use)
            known = self._found.get(use[:_SLOT])
            if known is None:
                self._found[use[:_SLOT]] = list(use[_SLOT:_COUNTED])
            else:
                known[0] += use.requests
                if known[2] is None:
                    known[1:] = use[_SLOT + 1 : _COUNTED]
                elif use.last_at is not None:
                    known[1] = min(known[1], use.first_at)
                    if use.last_at >= known[2]:
                        known[2:] = use.last_at, use.address

    def uses(self) -> list[Use]:
        return [Use._make((*slot, *values, None, None)) for slot, values in self._found.items()]

    def logged(self) -> list[Use]:
        """The requests to be logged, which are counted by `uses`; those of neighboring keys together."""
        chosen = [*_in_turn(self._accepted, MOST_ACCEPTED_AT_ONCE), *_in_turn(self._refused, MOST_REFUSED_AT_ONCE)]
        return sorted([use._replace(requests=COUNTED) for use in chosen], key=lambda use: use.key_id)


async def merged(rows: Iterable[str]) -> tuple[list[Use], list[Use]]:
    """What these rows of the log come to: merged uses, and requests to be logged."""
    merger = Merger()
    async for uses in in_slices(rows):
        merger.add(decoded(uses))
    return merger.uses(), merger.logged()


def _in_turn(latest: Latest, most: int) -> list[Use]:
    """Up to `most` requests: the newest of each key, then the second newest, so that no busy key keeps those of others out."""
    chosen, queues = list[Use](), list(latest.values())
    while queues and len(chosen) < most:
        chosen += [queue.pop() for queue in queues[: most - len(chosen)]]
        queues = [queue for queue in queues if queue]
    return chosen


def steps(uses: list[Use], most: int) -> Iterator[list[Use]]:
    """The uses in groups of at most `most`, those of neighboring keys together: a step then changes few pages of the database. Not
    sorted as a whole, which would hold the event loop."""
    neighbors: dict[str, list[Use]] = collections.defaultdict(list)
    for use in uses:
        neighbors[use.key_id[:_NEIGHBORS]].append(use)
    return batched(itertools.chain.from_iterable(neighbors[beginning] for beginning in sorted(neighbors)), most)


def batched(uses: Iterable[Use], most: int) -> Iterator[list[Use]]:
    """The uses in this order, in groups of at most `most`."""
    rest = iter(uses)
    while step := list(itertools.islice(rest, most)):
        yield step


def upserts(uses: list[Use]) -> list[Upsert]:
    """The statements that count these uses, and log those with a request's id."""
    counts = CounterBatch()
    for use in uses:
        counts.add(use)
    return counts.upserts()
