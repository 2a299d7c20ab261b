"""What Keydesk says of a key that still works but will not for long, and the response headers that hand it on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, Final, Self

from keydesk_client.asgi import Message, Send

_STARTS: Final = frozenset({"http.response.start", "websocket.accept", "websocket.http.response.start"})


@dataclass(frozen=True, slots=True)
class Notice:
    """`kind` is ROTATING (another key is taking its place) or EXPIRES_SOON (within 14 days); `message` is for people.

    `since` when this is so, and `sunset` when the key stops working; None where nobody has said.
    """

    kind: str
    message: str
    since: datetime
    sunset: datetime | None = None

    @classmethod
    def read(cls, said: Mapping[str, Any]) -> Self:
        """Raises KeyError, TypeError or ValueError unless it is a notice."""
        since, sunset = _instant(said["since"]), said["sunset"]
        return cls(str(said["kind"]), str(said["message"]), since, None if sunset is None else _instant(sunset))

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """`Deprecation` (RFC 9745) and, where the end is known, `Sunset` (RFC 8594)."""
        found = [(b"deprecation", b"@%d" % int(self.since.timestamp()))]
        if self.sunset is not None:
            found.append((b"sunset", format_datetime(self.sunset, usegmt=True).encode()))
        return found

    def passing_on(self, send: Send) -> Send:
        """A `send` whose responses carry the headers too. What the application says of itself stays as it says it."""

        async def say(message: Message) -> None:
            if message["type"] in _STARTS:
                own = list(message.get("headers") or ())
                names = {bytes(name).lower() for name, _ in own}
                if not names & {b"deprecation", b"sunset"}:
                    message = {**message, "headers": own + self.headers}
            await send(message)

        return say


def _instant(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("an instant has an offset")
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("an instant lies within the calendar") from error
