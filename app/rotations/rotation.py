"""A rotation as frozen data. Where it stands is a pure function of the run, both keys, their callers and the time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from app.access.actor import Actor, ActorRef
from app.clock import DAY
from app.keys.key import ApiKey
from app.usage.caller import Caller
from app.versions import version_of_all

LOOK_BACK: Final = 14 * DAY
LATEST_DEADLINE: Final = 30 * DAY


class OnDeadline(StrEnum):
    """What happens to the predecessor at the deadline: it is revoked, or both keys stay and an alert says so."""

    REVOKE = "REVOKE"
    KEEP_AND_ALERT = "KEEP_AND_ALERT"


class Outcome(StrEnum):
    """Which key lived on: the successor, or the predecessor."""

    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"


class State(StrEnum):
    """The first four are open; they are derived at every read and may go back."""

    ISSUED = "ISSUED"
    IN_USE = "IN_USE"
    DRAINING = "DRAINING"
    READY = "READY"
    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True)
class Ending:
    """`at` in microseconds; `by` is the system where a key was revoked by hand or expired."""

    at: int
    by: ActorRef
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Rotation:
    """A run that replaces one key by another. Instants and `quiet_period` in microseconds."""

    id: str
    workspace_id: str
    predecessor_id: str
    successor_id: str
    started_at: int
    started_by: ActorRef
    deadline: int
    on_deadline: OnDeadline
    quiet_period: int
    ending: Ending | None = None

    @property
    def latest_deadline(self) -> int:
        """Extensions included."""
        return self.started_at + LATEST_DEADLINE

    def deadline_passed(self, now: int) -> bool:
        return now >= self.deadline

    def is_due(self, now: int) -> bool:
        """Whether the deadline has passed and asks for the predecessor's end."""
        return self.ending is None and self.on_deadline is OnDeadline.REVOKE and self.deadline_passed(now)

    def settled(self, predecessor: ApiKey, successor: ApiKey, now: int) -> Rotation:
        """The run with the ending it has, or has come to by itself: a run is open only while both its keys live.

        Whichever key ended first decides. Both at one instant: cancelled, because nothing was left to move to.
        """
        old, new = predecessor.over_since(now), successor.over_since(now)
        if self.ending is not None or (old is None and new is None):
            return self
        completed = new is None or (old is not None and old < new)
        at = min(instant for instant in (old, new) if instant is not None)
        outcome = Outcome.COMPLETED if completed else Outcome.CANCELLED
        return replace(self, ending=Ending(at, Actor.system().ref, outcome))


@dataclass(frozen=True, slots=True)
class Moving:
    """A caller of the predecessor. `on_successor_at`: when it, or its family, was last seen on the successor."""

    caller: Caller
    moved: bool
    dismissed: bool
    on_successor_at: int | None

    @property
    def is_left(self) -> bool:
        """Whether it would be cut off."""
        return not (self.moved or self.dismissed)


@dataclass(frozen=True, slots=True)
class Progress:
    """A run as it stands at one instant.

    `rotation` has its ending, also one that nobody has written down yet; `callers` are the predecessor's, newest first.
    `quiet_since`: when the predecessor was last used, else made. `ready_at`: from when on the run is READY if nothing more
    happens to it; None while somebody has to do something first, and for a run that is over.
    """

    rotation: Rotation
    state: State
    predecessor: ApiKey
    successor: ApiKey
    callers: tuple[Moving, ...]
    deadline_passed: bool
    quiet_since: int
    ready_at: int | None

    @property
    def is_open(self) -> bool:
        return self.rotation.ending is None

    @property
    def left(self) -> tuple[Moving, ...]:
        """Who would be cut off if the predecessor were revoked now."""
        return tuple(moving for moving in self.callers if moving.is_left)

    @property
    def left_version(self) -> str:
        """Of who that is."""
        return version_of_all(moving.caller.id for moving in self.left)


def progress(
    rotation: Rotation,
    predecessor: ApiKey,
    successor: ApiKey,
    old_callers: Iterable[Caller],
    new_callers: Iterable[Caller],
    now: int,
    dismissed: frozenset[str] = frozenset(),
) -> Progress:
    """Where the run stands. `dismissed` are the user-agent families that somebody said no longer matter."""
    run = rotation.settled(predecessor, successor, now)
    met = _Met(new_callers)
    counted = [caller for caller in old_callers if caller.last_seen_at >= run.started_at - LOOK_BACK]
    callers = tuple(_moving(caller, met, run, now, dismissed) for caller in counted)
    quiet_since = predecessor.created_at if predecessor.last_used_at is None else predecessor.last_used_at
    usable = successor.last_used_at is not None and successor.suspended_at is None
    settling = [0 if caller.user_agent in dismissed else met.moved_at(caller, run.quiet_period) for caller in counted]
    known = [instant for instant in settling if instant is not None]
    # Only when all callers have an instant at which they count as moved is there one at which the run is READY.
    sure = run.ending is None and usable and len(known) == len(settling)
    ready_at = max([quiet_since + run.quiet_period, *known]) if sure else None
    state = _state(run, successor, callers, ready_at is not None and now >= ready_at)
    return Progress(run, state, predecessor, successor, callers, run.deadline_passed(now), quiet_since, ready_at)


class _Met:
    """Who was seen on the successor. What cannot be recognised proves nothing, on either key."""

    def __init__(self, callers: Iterable[Caller]) -> None:
        self._places: dict[tuple[str, str], int] = {}
        self._families: dict[str, int] = {}
        for caller in callers:
            if caller.recognisable:
                seen = caller.last_seen_at
                self._places[caller.network, caller.user_agent] = seen
                self._families[caller.user_agent] = max(seen, self._families.get(caller.user_agent, seen))

    def seen_at(self, caller: Caller) -> int | None:
        """When the caller was last met, else its family."""
        if not caller.recognisable:
            return None
        return self._places.get((caller.network, caller.user_agent), self._families.get(caller.user_agent))

    def moved_at(self, caller: Caller, quiet_period: int) -> int | None:
        """From when on it counts as moved if it is not seen on the predecessor again."""
        if not caller.recognisable or caller.user_agent not in self._families:
            return None
        return 0 if (caller.network, caller.user_agent) in self._places else caller.last_seen_at + quiet_period


def _moving(caller: Caller, met: _Met, run: Rotation, now: int, dismissed: frozenset[str]) -> Moving:
    moved_at = met.moved_at(caller, run.quiet_period)
    moved = moved_at is not None and now >= moved_at
    return Moving(caller, moved, caller.user_agent in dismissed, met.seen_at(caller))


def _state(run: Rotation, successor: ApiKey, callers: tuple[Moving, ...], ready: bool) -> State:
    if run.ending is not None:
        return State(run.ending.outcome)
    if successor.last_used_at is None:
        return State.ISSUED
    if ready:
        return State.READY
    return State.DRAINING if any(moving.moved for moving in callers) else State.IN_USE
