"""Deprecation notice for keys that are being rotated or expire soon: in the response body, and as headers."""

from __future__ import annotations

from email.utils import format_datetime
from enum import StrEnum
from typing import Final

import msgspec

from app.clock import DAY, SECOND, rfc3339, to_datetime

LEAD: Final = 14 * DAY


class Kind(StrEnum):
    """ROTATING: another key is replacing it. EXPIRES_SOON: it expires within 14 days and is not being rotated."""

    ROTATING = "ROTATING"
    EXPIRES_SOON = "EXPIRES_SOON"


class Rotating(msgspec.Struct, frozen=True, gc=False):
    """The open run that replaces a key. Microseconds; `revoked_at`: when the deadline will revoke the key; None: never."""

    since: int
    revoked_at: int | None


class Notice(msgspec.Struct, frozen=True, gc=False):
    """Microseconds; `sunset`: when the key stops working without further events; None: unknown."""

    kind: Kind
    since: int
    sunset: int | None

    @property
    def message(self) -> str:
        """For people; names neither the key nor its workspace."""
        if self.kind is Kind.EXPIRES_SOON and self.sunset is not None:
            return f"This API key expires at {rfc3339(self.sunset)}. Extend it, or put another one in its place."
        end = "" if self.sunset is None else f" It stops working at {rfc3339(self.sunset)}."
        return f"This API key is being replaced. Use the new one.{end}"

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """`Deprecation` (RFC 9745) and, where the end is known, `Sunset` (RFC 8594). Whole seconds, never too late."""
        found = [(b"deprecation", b"@%d" % (self.since // SECOND))]
        if self.sunset is not None:
            found.append((b"sunset", format_datetime(to_datetime(self.sunset), usegmt=True).encode()))
        return found


def notice(rotating: Rotating | None, expires_at: int | None, now: int) -> Notice | None:
    """The notice for a valid key, if any. A rotation takes precedence; `sunset` is the earliest of all ends."""
    if rotating is not None:
        ends = [instant for instant in (rotating.revoked_at, expires_at) if instant is not None]
        return Notice(Kind.ROTATING, rotating.since, min(ends, default=None))
    if expires_at is not None and now >= expires_at - LEAD:
        return Notice(Kind.EXPIRES_SOON, expires_at - LEAD, expires_at)
    return None
