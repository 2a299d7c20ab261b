"""What was said of keys in the log, so that each is said once a day and not with every request."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

from keydesk_client.credential import blot
from keydesk_client.verdict import KeydeskKey

logger = logging.getLogger("keydesk_client")

_DAY_SECONDS: Final = 86_400.0


class Notices:
    """Says each key's notice once a day, without its secret. `clock` counts seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # By key and kind, the oldest first: what is a day old stands at the beginning.
        self._said: dict[tuple[str, str], float] = {}

    def hear(self, key: KeydeskKey) -> None:
        if key.notice is None:
            return
        self._forget_yesterday()
        if (what := (key.id, key.notice.kind)) not in self._said:
            self._said[what] = self._clock()
            logger.warning("%s", blot(f"the key {key.id} ({key.name!r} of {key.workspace}): {key.notice.message}"))

    def _forget_yesterday(self) -> None:
        yesterday = self._clock() - _DAY_SECONDS
        while self._said and self._said[oldest := next(iter(self._said))] <= yesterday:
            del self._said[oldest]
