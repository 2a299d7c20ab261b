"""What those who watch over a node ask: does it live, may it be sent requests, and how is it doing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from app.database.migrate import missing
from app.errors import Unavailable
from app.journal import file as journal
from app.peppers import service as peppers

PATHS: Final = frozenset({"/livez", "/readyz", "/metrics"})
# A database that does not answer must not keep the balancer waiting for the answer that says so.
PATIENCE_SECONDS: Final = 1.0
_log = logging.getLogger("keydesk.health")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Health:
    """`verification` says what keeps the node from what it is for, if anything does. `draining`: the node is about to stop and
    asks for no more requests, while it still answers those that come."""

    def __init__(self, verification: Callable[[], Awaitable[str | None]]) -> None:
        self.draining = False
        self._verification = verification

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        match scope["path"]:
            case "/livez":
                await _send(send, 200, "text/plain; charset=utf-8", b"alive\n")
            case "/readyz":
                faults = await self.faults()
                content = msgspec.json.encode({"ready": not faults, "faults": faults})
                await _send(send, 503 if faults else 200, "application/json", content)
            case _:
                await _send(send, 200, CONTENT_TYPE_LATEST, generate_latest())

    async def faults(self) -> dict[str, str]:
        """What keeps the node from being ready, by part; empty if nothing does. Says nothing that a stranger must not read."""
        faults = {"node": "stopping"} if self.draining else {}
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                if await missing():
                    faults["migrations"] = "the database belongs to another version"
                elif not await peppers.is_known():
                    faults["pepper"] = "the database knows another pepper"
                elif fault := await self._verification():
                    faults["database"] = fault
        except (TimeoutError, Unavailable) as failure:
            _log.warning("not ready: %s", getattr(failure, "internal", None) or "the database does not answer in time")
            faults["database"] = "cannot be asked"
        if journal.current().failing:
            faults["journal"] = "the revocation journal cannot be written"
        return faults


async def _send(send: Send, status: int, kind: str, body: bytes) -> None:
    headers = [(b"content-type", kind.encode()), (b"content-length", b"%d" % len(body)), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
