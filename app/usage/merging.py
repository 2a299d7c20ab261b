"""Merges uses of keys: many requests become few rows of the counters."""

from __future__ import annotations

import collections
import itertools
from collections.abc import Iterable, Iterator
from typing import Any, Final, TypeAlias

import msgspec

from app.database.statements import Upsert
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
        # How many uses were added, and into how many they are merged.
        self.added = self.size = 0
        # By neighboring keys.
        self._found: dict[str, dict[tuple[object, ...], list[Any]]] = collections.defaultdict(dict)
        self._accepted: Latest = collections.defaultdict(lambda: collections.deque(maxlen=MOST_ACCEPTED))
        self._refused: Latest = collections.defaultdict(lambda: collections.deque(maxlen=MOST_REFUSED))

    def add(self, uses: list[Use]) -> None:
        self.added += len(uses)
        for use in uses:
            if use.request_id is not None:
                (self._accepted if use.outcome == ACCEPTED else self._refused)[use.key_id].append(use)
            neighbors, slot = self._found[use.key_id[:_NEIGHBORS]], use[:_SLOT]
            known = neighbors.get(slot)
            if known is None:
                neighbors[slot] = list(use[_SLOT:_COUNTED])
                self.size += 1
            else:
                known[0] += use.requests
                if known[2] is None:
                    known[1:] = use[_SLOT + 1 : _COUNTED]
                elif use.last_at is not None:
                    known[1] = min(known[1], use.first_at)
                    if use.last_at >= known[2]:
                        known[2:] = use.last_at, use.address

    def take_uses(self) -> Iterator[Use]:
        """Takes out the merged uses, those of neighboring keys one after another: a few of them then change few pages of the
        database. Neither sorted nor freed as a whole, which would hold the event loop."""
        for beginning in sorted(self._found):
            for slot, values in self._found.pop(beginning).items():
                yield Use._make((*slot, *values, None, None))

    def logged(self) -> list[Use]:
        """The requests to be logged, which are counted by `take_uses`; those of neighboring keys together."""
        chosen = [*_in_turn(self._accepted, MOST_ACCEPTED_AT_ONCE), *_in_turn(self._refused, MOST_REFUSED_AT_ONCE)]
        return sorted([use._replace(requests=COUNTED) for use in chosen], key=lambda use: use.key_id)


def _in_turn(latest: Latest, most: int) -> list[Use]:
    """Up to `most` requests: the newest of each key, then the second newest, so that no busy key keeps those of others out."""
    chosen, queues = list[Use](), list(latest.values())
    while queues and len(chosen) < most:
        chosen += [queue.pop() for queue in queues[: most - len(chosen)]]
        queues = [queue for queue in queues if queue]
    return chosen


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
