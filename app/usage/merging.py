"""Merges uses of keys: many requests become few rows of the counters."""

from __future__ import annotations

import collections
import itertools
from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from app.database.statements import Upsert
from app.pace import in_slices
from app.usage.counters import CounterBatch, Use

# The values of a use that say what is counted; the others are merged.
_SLOT: Final = 6
# Keys whose ids begin with the same characters, of which two are random, are neighbors.
_NEIGHBORS: Final = 6
_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder(list[Use])


def encoded(uses: list[Use]) -> str:
    """The uses as a row of the log."""
    return _ENCODER.encode(uses).decode()


def decoded(row: str) -> list[Use]:
    return _DECODER.decode(row)


async def merged(rows: Iterable[str]) -> list[Use]:
    """The uses of these rows of the log, one for each key, hour, permission, outcome and caller."""
    found: dict[tuple[object, ...], list[Any]] = {}
    async for uses in in_slices(rows):
        for use in decoded(uses):
            known = found.get(use[:_SLOT])
            if known is None:
                found[use[:_SLOT]] = list(use[_SLOT:])
            else:
                known[0] += use.requests
                if known[2] is None:
                    known[1:] = use[_SLOT + 1 :]
                elif use.last_at is not None:
                    known[1] = min(known[1], use.first_at)
                    if use.last_at >= known[2]:
                        known[2:] = use.last_at, use.address
    return [Use._make((*slot, *values)) for slot, values in found.items()]


def steps(uses: list[Use], most: int) -> Iterator[list[Use]]:
    """The uses in groups of at most `most`, those of neighboring keys together: a step then changes few pages of the database. Not
    sorted as a whole, which would hold the event loop."""
    neighbors: dict[str, list[Use]] = collections.defaultdict(list)
    for use in uses:
        neighbors[use.key_id[:_NEIGHBORS]].append(use)
    ordered = itertools.chain.from_iterable(neighbors[beginning] for beginning in sorted(neighbors))
    while step := list(itertools.islice(ordered, most)):
        yield step


def upserts(uses: list[Use]) -> list[Upsert]:
    """The statements that count these uses."""
    counts = CounterBatch()
    for use in uses:
        counts.add(use)
    return counts.upserts()
