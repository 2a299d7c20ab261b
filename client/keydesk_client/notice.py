"""A key's deprecation notice: it still works, but will soon stop working. And the response headers for it."""

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
    """`kind` is ROTATING (another key is replacing it) or EXPIRES_SOON (within 14 days); `message` is for people.

    `since`: when the notice began. `sunset`: when the key stops working; None if that is not known.
    """

    kind: str
    message: str
    since: datetime
    sunset: datetime | None = None

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Self:
        """Raises KeyError, TypeError or ValueError unless `data` is a notice."""
        since, sunset = _instant(data["since"]), data["sunset"]
        return cls(str(data["kind"]), str(data["message"]), since, None if sunset is None else _instant(sunset))

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """`Deprecation` (RFC 9745) and, if the end is known, `Sunset` (RFC 8594)."""
        headers = [(b"deprecation", b"@%d" % int(self.since.timestamp()))]
        if self.sunset is not None:
            headers.append((b"sunset", format_datetime(self.sunset, usegmt=True).encode()))
        return headers

    def add_headers(self, send: Send) -> Send:
        """Wraps `send` to add the headers to responses, unless the application has set one of them itself."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] in _STARTS:
                own = list(message.get("headers") or ())
                names = {bytes(name).lower() for name, _ in own}
                if not names & {b"deprecation", b"sunset"}:
                    message = {**message, "headers": own + self.headers}
            await send(message)

        return send_with_headers


def _instant(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("an instant has an offset")
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("an instant lies within the calendar") from error
