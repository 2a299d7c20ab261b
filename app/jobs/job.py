"""What a job is: work that may be done twice without harm and is done by one node at a time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from app.clock import SECOND

# How long a node that died keeps a job from the others; one that lives moves the end on before.
LEASE: Final = 3 * SECOND
Work = Callable[[int], Awaitable[Any]]
Wanted = Callable[[int], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class Job:
    """`work` is given the database's time (microseconds), and begins again `every_seconds` after it began at the earliest.

    `wanted`, where there is one, is a look that costs little; without it the job is not begun, so that a quiet database is
    not written to.
    """

    name: str
    every_seconds: int
    work: Work
    wanted: Wanted | None = None
