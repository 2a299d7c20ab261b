"""Health checks: whether a node is alive, whether it is ready for requests, and its metrics."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST

from app import shared_metrics
from app.asgi import NO_STORE, Receive, Scope, Send, send_content, send_text
from app.database.migrate import missing
from app.errors import Unavailable
from app.journal import file as journal
from app.peppers import service as peppers

PATHS: Final = frozenset({"/livez", "/readyz", "/metrics"})
# An unresponsive database must not delay the response to the load balancer.
PATIENCE_SECONDS: Final = 1.0
_log = logging.getLogger("keydesk.health")


class Health:
    """`verification` returns why the node cannot verify, or None. `starting`: parts of the node are still being built.
    `draining`: it is about to stop. In both cases it is not ready for new requests, but answers them."""

    def __init__(self, verification: Callable[[], Awaitable[str | None]]) -> None:
        self.starting = self.draining = False
        self._verification = verification

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        match scope["path"]:
            case "/livez":
                await send_text(send, 200, "alive\n", NO_STORE)
            case "/readyz":
                faults = await self.faults()
                content = msgspec.json.encode({"ready": not faults, "faults": faults})
                await send_content(send, 503 if faults else 200, b"application/json", content, NO_STORE)
            case _:
                await send_content(send, 200, CONTENT_TYPE_LATEST.encode(), shared_metrics.latest(), NO_STORE)

    async def faults(self) -> dict[str, str]:
        """Why the node is not ready, by part; empty if it is. The texts are safe to publish."""
        faults = {"node": "stopping"} if self.draining else {"node": "starting"} if self.starting else {}
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
