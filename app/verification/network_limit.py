"""How many requests a network may send to a route that needs no gateway token, counted in the memory of this process."""

from __future__ import annotations

import time
from typing import Final

from app.verification.http import Refused

WINDOW_SECONDS: Final = 60.0
_MOST_NETWORKS: Final = 10_000


class NetworkLimit:
    """Each network has its own limit, so that none can use up that of another."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._requests: dict[str, int] = {}
        self._window_started_at = float("-inf")

    def count(self, network: str) -> None:
        """Raises Refused (429) for more than `limit` requests in a minute."""
        now = time.monotonic()
        if now - self._window_started_at > WINDOW_SECONDS or len(self._requests) > _MOST_NETWORKS:
            self._window_started_at, self._requests = now, {}
        self._requests[network] = self._requests.get(network, 0) + 1
        if self._requests[network] > self._limit:
            raise Refused(429, "TOO_MANY_REQUESTS", "Too many requests. Try again in a minute.", (b"retry-after", b"60"))
