"""Logs the notices of keys: each once a day, not with every request."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

from keydesk_client.credential import redact
from keydesk_client.verdict import KeydeskKey

logger = logging.getLogger("keydesk_client")

_DAY_SECONDS: Final = 86_400.0


class NoticeLog:
    """Logs each key's notice once a day, without its secret. `clock` counts seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # When each notice was logged, by key and kind, the oldest first.
        self._logged: dict[tuple[str, str], float] = {}

    def log(self, key: KeydeskKey) -> None:
        if key.notice is None:
            return
        self._forget_expired()
        if (entry := (key.id, key.notice.kind)) not in self._logged:
            self._logged[entry] = self._clock()
            logger.warning("%s", redact(f"the key {key.id} ({key.name!r} of {key.workspace}): {key.notice.message}"))

    def _forget_expired(self) -> None:
        a_day_ago = self._clock() - _DAY_SECONDS
        while self._logged and self._logged[oldest := next(iter(self._logged))] <= a_day_ago:
            del self._logged[oldest]
