"""Whether a key is safe to revoke: its recent use, and a verdict."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from app.access.policy import Action
from app.clock import DAY, HOUR, hour_of
from app.keys.key import ApiKey, Status
from app.pace import in_slices
from app.tenancy.service import Access
from app.usage import caller_service
from app.usage import store as usage_store
from app.usage.caller import Caller

_MONTH = 30 * DAY


class Verdict(StrEnum):
    """QUIET: not used for 30 days, or ended. BUSY: active and used within the last hour, so it is in use now."""

    QUIET = "QUIET"
    IN_USE = "IN_USE"
    BUSY = "BUSY"


@dataclass(frozen=True, slots=True)
class Impact:
    """Requests of the last hour, day and 30 days, successful or not, in whole hours: the current one and 1, 24 or 720 before.

    `callers` (newest first) and `permissions` are those of the last 30 days.
    """

    hour: int
    day: int
    month: int
    callers: tuple[Caller, ...]
    permissions: tuple[str, ...]
    verdict: Verdict


async def impact(access: Access, key: ApiKey, callers: list[Caller] | None = None) -> Impact:
    """The use that revoking a key would cut off. `callers`: the key's, if they were read already. Raises NotAllowed."""
    access.require(Action.READ_USAGE, key)
    known = await caller_service.of_keys(access, [key]) if callers is None else {key.id: callers}
    return (await _impacts(access, [key], known))[key.id]


async def impacts(access: Access, keys: Collection[ApiKey]) -> dict[str, Impact]:
    """`impact` of several keys of the workspace, in two statements; every key is in the result. Raises NotAllowed."""
    access.require(Action.READ_USAGE, *keys)
    return await _impacts(access, keys, await caller_service.of_keys(access, keys))


def verdict(key: ApiKey, now: int) -> Verdict:
    """Based on when the key was last used, to the microsecond, and whether it is active; refused requests do not count."""
    if key.is_over(now) or key.last_used_at is None or key.last_used_at <= now - _MONTH:
        return Verdict.QUIET
    recent = key.last_used_at > now - HOUR
    return Verdict.BUSY if recent and key.status(now) is Status.ACTIVE else Verdict.IN_USE


async def _impacts(access: Access, keys: Collection[ApiKey], callers: Mapping[str, list[Caller]]) -> dict[str, Impact]:
    now = access.now
    counted = await usage_store.sums([key.id for key in keys], [hour_of(now) - span for span in (HOUR, DAY, _MONTH)])
    return {key.id: _impact(key, counted.get(key.id, [0, 0, 0]), callers[key.id], now) async for key in in_slices(keys)}


def _impact(key: ApiKey, counted: list[int], callers: list[Caller], now: int) -> Impact:
    recent = tuple(caller for caller in callers if caller.last_seen_at > now - _MONTH)
    permissions = sorted({name for caller in recent for name in caller.permissions})
    hour, day, month = counted
    return Impact(hour, day, month, recent, tuple(permissions), verdict(key, now))
