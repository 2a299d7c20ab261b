"""A key's status in a label, a variant and a sentence: the most urgent fact about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from app import catalogue
from app.access.policy import Action
from app.alerts.rules.rule import EXTEND, RESUME, REVOKE, ROTATE, Remedy
from app.clock import DAY
from app.keys.key import ApiKey, RotationDue, Status
from app.management_keys.management_key import ManagementKey
from app.management_keys.management_key import Status as ManagementStatus
from app.rotations.rotation import Progress, State
from app.web.presentation.filters import day, plural, reason, relative

EXPIRES_SOON_DAYS: Final = 14
_UNUSED_DAYS: Final = 30
_WATCH: Final = Remedy("View rotation", "rotation", Action.READ_KEYS)


@dataclass(frozen=True, slots=True)
class KeyStatus:
    """`variant` is the color: good, warn, bad or off; the lower `rank`, the more urgent (None: needs no attention);
    `remedy` is what to do about it."""

    label: str
    variant: str
    detail: str = ""
    rank: int | None = None
    remedy: Remedy | None = None

    @property
    def is_urgent(self) -> bool:
        return self.rank is not None


def key_status(key: ApiKey, now: int, zone: str = "UTC") -> KeyStatus:
    """The status of a key: ended first, then expiring or due soon."""
    status = key.status(now)
    if key.revocation is not None:
        return KeyStatus("Revoked", "off", reason(key.revocation.reason).lower())
    if status is Status.EXPIRED:
        return KeyStatus("Expired", "off", day(key.expires_at or 0, zone))
    if status is Status.SUSPENDED:
        return KeyStatus("Suspended", "warn", "refused until it is resumed", rank=3, remedy=RESUME)
    return _ending(key, now, zone) or _due(key, now, zone) or _idle(key, now) or KeyStatus("Active", "good")


def status_in(progress: Progress | None, key: ApiKey, now: int, zone: str = "UTC") -> KeyStatus:
    """The status of a key that may be in an open rotation: that rotation's, unless the key is suspended or has ended."""
    if progress is None or not progress.is_open or key.status(now) is not Status.ACTIVE:
        return key_status(key, now, zone)
    return successor_status(progress) if progress.successor.id == key.id else rotation_status(progress)


def management_key_status(key: ManagementKey, now: int, zone: str = "UTC") -> KeyStatus:
    """The status of a management key: ended first, then expiring soon."""
    if key.revoked_at is not None:
        return KeyStatus("Revoked", "off", day(key.revoked_at, zone))
    if key.status(now) is ManagementStatus.EXPIRED:
        return KeyStatus("Expired", "off", day(key.expires_at, zone))
    if key.expires_at - now <= EXPIRES_SOON_DAYS * DAY:
        return KeyStatus("Expires soon", "warn", day(key.expires_at, zone))
    return KeyStatus("Active", "good")


def rotation_status(progress: Progress) -> KeyStatus:
    """The status of the old key of an open rotation, with its progress."""
    label = "Ready to finish" if progress.state is State.READY else "Rotating"
    return KeyStatus(label, "warn", moved_words(progress) if progress.callers else "nobody to move", rank=2, remedy=_WATCH)


def moved_words(progress: Progress) -> str:
    """`2 of 3 callers moved, 1 ignored`."""
    moved = f"{len(progress.moved)} of {plural(len(progress.callers), 'caller')} moved"
    return f"{moved}, {len(progress.ignored)} ignored" if progress.ignored else moved


def successor_status(progress: Progress) -> KeyStatus:
    """The status of the new key of an open rotation."""
    label = "Ready to finish" if progress.state is State.READY else "Rotating"
    return KeyStatus(label, "warn", f"replaces {progress.predecessor.prefix}…")


def _ending(key: ApiKey, now: int, zone: str) -> KeyStatus | None:
    if key.expires_at is None or key.expires_at - now > EXPIRES_SOON_DAYS * DAY:
        return None
    return KeyStatus(f"Expires {relative(key.expires_at, now)}", "warn", day(key.expires_at, zone), rank=1, remedy=EXTEND)


def _due(key: ApiKey, now: int, zone: str) -> KeyStatus | None:
    every = catalogue.current().environment(key.environment).rotate_every_days
    due, by = key.rotation_due(every, now), key.rotate_by(every)
    if by is None or due is RotationDue.NOT_DUE:
        return None
    if due is RotationDue.OVERDUE:
        return KeyStatus("Rotation overdue", "bad", f"since {day(by, zone)}", rank=0, remedy=ROTATE)
    return KeyStatus(f"Rotate {relative(by, now)}", "warn", day(by, zone), rank=2, remedy=ROTATE)


def _idle(key: ApiKey, now: int) -> KeyStatus | None:
    """An active key that was never used, or not for a month: a candidate for revocation."""
    if key.last_used_at is None and now - key.created_at > _UNUSED_DAYS * DAY:
        return KeyStatus("Active", "good", f"never used in {(now - key.created_at) // DAY} days", rank=4, remedy=REVOKE)
    return None
