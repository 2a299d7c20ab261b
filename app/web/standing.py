"""How a key stands, in a word, a tone and a sentence: the most urgent thing that can be said of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from app import catalogue
from app.clock import DAY
from app.keys.key import ApiKey, RotationDue, Status
from app.rotations.rotation import Progress, State
from app.web.formats import day, reason, relative

EXPIRES_SOON_DAYS: Final = 14
_UNUSED_DAYS: Final = 30


@dataclass(frozen=True, slots=True)
class Standing:
    """`tone` is good, warn, bad or off; the lower its `rank`, the more it wants attention (None: nothing)."""

    word: str
    tone: str
    detail: str = ""
    rank: int | None = None

    @property
    def is_urgent(self) -> bool:
        return self.rank is not None


def standing(key: ApiKey, now: int, zone: str = "UTC") -> Standing:
    """Endings first, then what ends or is due soon."""
    status = key.status(now)
    if key.revocation is not None:
        return Standing("Revoked", "off", reason(key.revocation.reason).lower())
    if status is Status.EXPIRED:
        return Standing("Expired", "off", day(key.expires_at or 0, zone))
    if status is Status.SUSPENDED:
        return Standing("Suspended", "warn", "refused until it is resumed", rank=3)
    return _ending(key, now, zone) or _due(key, now, zone) or _idle(key, now) or Standing("Active", "good")


def rotating(run: Progress | None) -> Standing | None:
    """Of a key in an open run: that, and how far it is."""
    if run is None or not run.is_open:
        return None
    moved = sum(moving.moved for moving in run.callers)
    word = "Ready to finish" if run.state is State.READY else "Rotating"
    detail = f"{moved} of {len(run.callers)} callers moved" if run.callers else "nobody to move"
    return Standing(word, "warn", detail, rank=2)


def _ending(key: ApiKey, now: int, zone: str) -> Standing | None:
    if key.expires_at is None or key.expires_at - now > EXPIRES_SOON_DAYS * DAY:
        return None
    return Standing(f"Expires {relative(key.expires_at, now)}", "warn", day(key.expires_at, zone), rank=1)


def _due(key: ApiKey, now: int, zone: str) -> Standing | None:
    every = catalogue.current().environment(key.environment).rotate_every_days
    due, by = key.rotation_due(every, now), key.rotate_by(every)
    if by is None or due is RotationDue.NOT_DUE:
        return None
    if due is RotationDue.OVERDUE:
        return Standing("Rotation overdue", "bad", f"since {day(by, zone)}", rank=0)
    return Standing(f"Rotate {relative(by, now)}", "warn", day(by, zone), rank=2)


def _idle(key: ApiKey, now: int) -> Standing | None:
    """Active, but nobody has ever used it, or not for a month: it may be one to revoke."""
    if key.last_used_at is None and now - key.created_at > _UNUSED_DAYS * DAY:
        return Standing("Active", "good", f"never used in {(now - key.created_at) // DAY} days", rank=4)
    return None
