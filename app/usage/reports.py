"""Usage reports of services about allowed requests: valid events are counted, invalid ones listed, a batch counts once."""

from __future__ import annotations

import asyncio
import json
import uuid
from dataclasses import dataclass
from typing import Any, Final

from app import clock, database, ids
from app.errors import FieldProblem, Unavailable, ValidationFailed
from app.keys import store as key_store
from app.keys.key import API_KEY_ID
from app.keys.known_names import is_permission_known
from app.keys.secret import mask_secrets
from app.usage import log as usage_log
from app.usage import report_store
from app.usage.counters import CallerLimiter, Use
from app.usage.usage import FAILED, SUCCEEDED

BATCHES_KEPT: Final = 31 * clock.DAY
_OLDEST: Final = 30 * clock.DAY
_NEWEST: Final = 5 * clock.MINUTE
# How long a report may wait for the database before it begins; its own work, which grows with its events and with the load
# of the machine, has a separate limit.
_PATIENCE_SECONDS: Final = 1.0
_WORK_SECONDS: Final = 5.0
# By the minute of each request, however much later it is reported; apart from the one of requests that are being verified.
_LIMITER: Final = CallerLimiter()


@dataclass(frozen=True, slots=True)
class Event:
    """One request that a service answered with an HTTP `status`."""

    key_id: str
    at: int
    status: int
    permission: str | None
    address: str | None
    user_agent: str | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """Why one event was not counted."""

    code: str
    message: str


async def take(
    gateway: str,
    workspace_id: str | None,
    batch_id: str,
    events: list[Event | Fault],
    most_waiting: int = usage_log.MOST_BEFORE_REPORT,
) -> dict[str, Any]:
    """Counts a report; returns the response of `/v1/usage`. Raises ValidationFailed for an invalid batch id, and Unavailable if it
    is unknown whether it was counted: the same batch sent again is still counted only once. `most_waiting`: uses that this process
    may have appended before they are folded."""
    batch = _batch(batch_id)
    try:
        async with asyncio.timeout(_WORK_SECONDS):
            now, uses, answer = await _judged(workspace_id, events)
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await usage_log.current().wait_turn(most_waiting)
        async with asyncio.timeout(_PATIENCE_SECONDS) as limit, database.transaction():
            limit.reschedule(asyncio.get_running_loop().time() + _WORK_SECONDS)
            answer = await _count(gateway, batch, now, uses, answer)
    except TimeoutError:
        raise Unavailable(internal="a usage batch took too long") from None
    return answer


async def forget_old() -> None:
    """Deletes expired batches."""
    async with database.transaction():
        await report_store.forget_batches_before(await database.now() - BATCHES_KEPT)


async def _judged(workspace_id: str | None, events: list[Event | Fault]) -> tuple[int, list[Use], dict[str, Any]]:
    """The time, what is to be counted, and the answer; before the transaction, for which verifications on SQLite wait."""
    now = await database.now()
    named = {event.key_id for event in events if isinstance(event, Event)}
    homes = await key_store.workspaces_of(sorted(name for name in named if ids.is_a(API_KEY_ID, name)))
    known = {key_id for key_id, home in homes.items() if workspace_id in (None, home)}
    unknown = await _unknown_permissions(events)
    uses, rejected = [], []
    for index, given in enumerate(events):
        event = _checked(given, known, unknown, now)
        if isinstance(event, Fault):
            rejected.append({"index": index, "code": event.code, "message": event.message})
        else:
            uses.append(_use(event, now))
    return now, uses, {"accepted": len(uses), "rejected": rejected}


async def _unknown_permissions(events: list[Event | Fault]) -> set[str]:
    """Each is looked up once."""
    asked = {event.permission for event in events if isinstance(event, Event) and event.permission is not None}
    return {name for name in asked if not await is_permission_known(name)}


async def _count(gateway: str, batch: str, now: int, uses: list[Use], answer: dict[str, Any]) -> dict[str, Any]:
    if not await report_store.claim_batch(gateway, batch, json.dumps(answer), now):
        return {**json.loads(await report_store.answer_of(gateway, batch)), "duplicate": True}
    await usage_log.current().append_in_transaction(uses)
    return {**answer, "duplicate": False}


def _use(event: Event, now: int) -> Use:
    """The verification that allowed the request updated only last-used and last-seen times: the report adds all counts."""
    used_at = min(event.at, now)
    outcome = SUCCEEDED if is_success(event) else FAILED
    network, user_agent = _LIMITER.bucket(event.key_id, used_at, event.address, event.user_agent)
    slot = (event.key_id, clock.hour_of(event.at), event.permission or "", outcome, network, user_agent)
    return Use(*slot, 1, used_at, used_at, event.address)


def _checked(event: Event | Fault, known: set[str], unknown: set[str], now: int) -> Event | Fault:
    """`known`: keys, `unknown`: permissions."""
    if isinstance(event, Fault):
        return event
    if not 100 <= event.status <= 599:
        return Fault("INVALID_STATUS", "`status` is not an HTTP status.")
    if event.permission is not None and event.permission in unknown:
        return Fault("UNKNOWN_PERMISSION", no_permission(event.permission))
    if event.key_id not in known:
        return Fault("NOT_FOUND", "There is no such API key.")
    if not now - _OLDEST <= event.at <= now + _NEWEST:
        return Fault("AT_OUT_OF_RANGE", "`at` lies more than 30 days back or 5 minutes ahead.")
    return event


def parse_instant(text: str) -> int:
    """RFC 3339 with an offset; ValueError, in words for callers of `/v1`, for anything else."""
    try:
        return clock.parse_rfc3339(text)
    except clock.OutOfRange:
        return clock.FIRST  # too long ago, as anything else out of range
    except ValueError:
        raise ValueError("`at` is RFC 3339 with an offset, like 2027-01-31T12:00:00Z.") from None


def is_success(event: Event) -> bool:
    return event.status < 400


def no_permission(name: str) -> str:
    return f"There is no permission {mask_secrets(name)[:60]!r}."


def _batch(text: str) -> str:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise ValidationFailed(FieldProblem("batchId", "INVALID", "`batchId` is not a UUID.")) from None
