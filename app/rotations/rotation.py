"""A rotation as frozen data. Its progress is a pure function of the rotation, both keys, their callers and the time."""

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

ROTATION_ID: Final = "rot"

LOOK_BACK: Final = 14 * DAY
LATEST_DEADLINE: Final = 30 * DAY


class OnDeadline(StrEnum):
    """What happens to the predecessor at the deadline: it is revoked, or both keys stay valid and a notice is given."""

    REVOKE = "REVOKE"
    KEEP_AND_ALERT = "KEEP_AND_ALERT"


class Outcome(StrEnum):
    """Which key stays valid: the successor, or the predecessor."""

    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"


class State(StrEnum):
    """The first four are open; they are derived at every read and may change in both directions."""

    ISSUED = "ISSUED"
    IN_USE = "IN_USE"
    DRAINING = "DRAINING"
    READY = "READY"
    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True)
class Ending:
    """`at` in microseconds; `by` is the system if a key expired or was revoked directly."""

    at: int
    by: ActorRef
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Rotation:
    """The replacement of one key by another. Instants and `quiet_period` in microseconds."""

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
    def key_ids(self) -> tuple[str, str]:
        """Predecessor and successor."""
        return self.predecessor_id, self.successor_id

    @property
    def latest_deadline(self) -> int:
        """The latest deadline that an extension can set."""
        return self.started_at + LATEST_DEADLINE

    def deadline_passed(self, now: int) -> bool:
        return now >= self.deadline

    def is_due(self, now: int) -> bool:
        """Whether the deadline has passed and the predecessor is to be revoked."""
        return self.ending is None and self.on_deadline is OnDeadline.REVOKE and self.deadline_passed(now)

    def with_derived_end(self, predecessor: ApiKey, successor: ApiKey, now: int) -> Rotation:
        """The rotation with its stored or derived ending: a rotation is open only while both its keys are alive.

        The key that ended first decides. If both ended at the same instant, it is cancelled, as no key was left to move to.
        """
        old, new = predecessor.over_since(now), successor.over_since(now)
        if self.ending is not None or (old is None and new is None):
            return self
        completed = new is None or (old is not None and old < new)
        at = min(instant for instant in (old, new) if instant is not None)
        outcome = Outcome.COMPLETED if completed else Outcome.CANCELLED
        return replace(self, ending=Ending(at, Actor.system().ref, outcome))


@dataclass(frozen=True, slots=True)
class CallerStatus:
    """A caller of the predecessor. `on_successor_at`: when it or its family was last seen on the successor."""

    caller: Caller
    moved: bool
    dismissed: bool
    on_successor_at: int | None

    @property
    def is_left(self) -> bool:
        """Whether revoking the predecessor would cut it off."""
        return not (self.moved or self.dismissed)


@dataclass(frozen=True, slots=True)
class Progress:
    """The state of a rotation at one instant.

    `rotation` has its ending, even if it is not stored yet; `callers` are the predecessor's, newest first.
    `quiet_since`: when the predecessor was last used, else created. `ready_at`: when the rotation becomes READY without further
    events; None while an action is required first, and for an ended rotation.
    """

    rotation: Rotation
    state: State
    predecessor: ApiKey
    successor: ApiKey
    callers: tuple[CallerStatus, ...]
    deadline_passed: bool
    quiet_since: int
    ready_at: int | None

    @property
    def is_open(self) -> bool:
        return self.rotation.ending is None

    def ended(self, ending: Ending) -> Progress:
        """The same rotation with this ending."""
        return replace(self, rotation=replace(self.rotation, ending=ending), state=State(ending.outcome), ready_at=None)

    @property
    def moved(self) -> tuple[CallerStatus, ...]:
        return tuple(status for status in self.callers if status.moved)

    @property
    def ignored(self) -> tuple[CallerStatus, ...]:
        """The callers that were dismissed and have not moved."""
        return tuple(status for status in self.callers if status.dismissed and not status.moved)

    @property
    def left(self) -> tuple[CallerStatus, ...]:
        """The callers that would be cut off if the predecessor were revoked now."""
        return tuple(status for status in self.callers if status.is_left)

    @property
    def left_version(self) -> str:
        """The version of that set of callers."""
        return version_of_all(status.caller.id for status in self.left)


def evaluate_progress(
    rotation: Rotation,
    predecessor: ApiKey,
    successor: ApiKey,
    old_callers: Iterable[Caller],
    new_callers: Iterable[Caller],
    now: int,
    dismissed: frozenset[str] = frozenset(),
) -> Progress:
    """The state of the rotation. `dismissed`: user-agent families that a user dismissed."""
    current = rotation.with_derived_end(predecessor, successor, now)
    on_successor = _SuccessorCallers(new_callers)
    counted = [caller for caller in old_callers if caller.last_seen_at >= current.started_at - LOOK_BACK]
    callers = tuple(_caller_status(caller, on_successor, current, now, dismissed) for caller in counted)
    quiet_since = predecessor.created_at if predecessor.last_used_at is None else predecessor.last_used_at
    usable = successor.last_used_at is not None and successor.suspended_at is None
    moved_instants = [
        0 if caller.user_agent in dismissed else on_successor.moved_at(caller, current.quiet_period) for caller in counted
    ]
    known = [instant for instant in moved_instants if instant is not None]
    # The rotation becomes READY only if every caller has an instant at which it counts as moved.
    all_will_move = current.ending is None and usable and len(known) == len(moved_instants)
    ready_at = max([quiet_since + current.quiet_period, *known]) if all_will_move else None
    state = _state(current, successor, callers, ready_at is not None and now >= ready_at)
    return Progress(current, state, predecessor, successor, callers, current.deadline_passed(now), quiet_since, ready_at)


class _SuccessorCallers:
    """The callers seen on the successor. Unrecognizable callers prove nothing, on either key."""

    def __init__(self, callers: Iterable[Caller]) -> None:
        self._last_seen: dict[tuple[str, str], int] = {}
        self._last_seen_of_family: dict[str, int] = {}
        for caller in callers:
            if caller.recognisable:
                seen = caller.last_seen_at
                self._last_seen[caller.network, caller.user_agent] = seen
                self._last_seen_of_family[caller.user_agent] = max(seen, self._last_seen_of_family.get(caller.user_agent, seen))

    def seen_at(self, caller: Caller) -> int | None:
        """When the caller was last seen, else its family."""
        if not caller.recognisable:
            return None
        return self._last_seen.get((caller.network, caller.user_agent), self._last_seen_of_family.get(caller.user_agent))

    def moved_at(self, caller: Caller, quiet_period: int) -> int | None:
        """When it counts as moved, unless it is seen on the predecessor again."""
        if not caller.recognisable or caller.user_agent not in self._last_seen_of_family:
            return None
        return 0 if (caller.network, caller.user_agent) in self._last_seen else caller.last_seen_at + quiet_period


def _caller_status(
    caller: Caller, on_successor: _SuccessorCallers, rotation: Rotation, now: int, dismissed: frozenset[str]
) -> CallerStatus:
    moved_at = on_successor.moved_at(caller, rotation.quiet_period)
    moved = moved_at is not None and now >= moved_at
    return CallerStatus(caller, moved, caller.user_agent in dismissed, on_successor.seen_at(caller))


def _state(rotation: Rotation, successor: ApiKey, callers: tuple[CallerStatus, ...], ready: bool) -> State:
    if rotation.ending is not None:
        return State(rotation.ending.outcome)
    if successor.last_used_at is None:
        return State.ISSUED
    if ready:
        return State.READY
    return State.DRAINING if any(status.moved for status in callers) else State.IN_USE
