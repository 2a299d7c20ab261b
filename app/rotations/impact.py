"""Safe to revoke? What a key was used for lately, and a word for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from app import database
from app.access.actor import Actor
from app.access.policy import Action
from app.clock import DAY, HOUR, hour_of
from app.keys import service as keys
from app.keys.key import ApiKey, Status
from app.pace import unhurried
from app.tenancy import service as tenancy
from app.usage import callers
from app.usage import store as usage_store
from app.usage.caller import Caller

_MONTH = 30 * DAY


class Verdict(StrEnum):
    """QUIET: not used for 30 days, or over. BUSY: active, and used within the last hour, so somebody is at it now."""

    QUIET = "QUIET"
    IN_USE = "IN_USE"
    BUSY = "BUSY"


@dataclass(frozen=True, slots=True)
class Impact:
    """Requests of the last hour, day and 30 days, successful or not, in whole hours: the present one and 1, 24 or 720 before.

    `callers` and `permissions` are those of the last 30 days, the callers newest first.
    """

    hour: int
    day: int
    month: int
    callers: tuple[Caller, ...]
    permissions: tuple[str, ...]
    verdict: Verdict


async def impact(actor: Actor, key_id: str, *, slug: str | None = None) -> Impact:
    """What revoking a key would cut off. Raises NotFound, NotAllowed."""
    key = await keys.get(actor, key_id, slug=slug)
    await tenancy.reading(actor, None, Action.READ_USAGE, workspace_id=key.workspace_id)
    return (await impacts([key], await database.now()))[key.id]


async def impacts(of: Sequence[ApiKey], now: int) -> dict[str, Impact]:
    """The same of keys that the caller has already been let into, in two statements; every key has an answer."""
    key_ids = [key.id for key in of]
    counted = await usage_store.sums(key_ids, [hour_of(now) - span for span in (HOUR, DAY, _MONTH)])
    seen = await callers.of_keys(key_ids)
    return {key.id: _impact(key, counted.get(key.id, [0, 0, 0]), seen[key.id], now) async for key in unhurried(of)}


def verdict(key: ApiKey, now: int) -> Verdict:
    """Judged by when the key was last used, to the microsecond, and by whether it can be used now: refusals are no use."""
    if key.is_over(now) or key.last_used_at is None or key.last_used_at <= now - _MONTH:
        return Verdict.QUIET
    lately = key.last_used_at > now - HOUR
    return Verdict.BUSY if lately and key.status(now) is Status.ACTIVE else Verdict.IN_USE


def _impact(key: ApiKey, counted: list[int], seen: list[Caller], now: int) -> Impact:
    lately = tuple(caller for caller in seen if caller.last_seen_at > now - _MONTH)
    permissions = sorted({name for caller in lately for name in caller.permissions})
    hour, day, month = counted
    return Impact(hour, day, month, lately, tuple(permissions), verdict(key, now))
