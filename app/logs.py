"""Logging: one JSON object per line on stderr, with secrets redacted, at every level and for all loggers."""

from __future__ import annotations

import json
import logging
import re
import sys
from datetime import UTC, datetime
from typing import Final

from app.keys.secret import PATTERN

_BLOTTED: Final = "[secret]"
# Besides keys: credentials of sessions, links and connections, anywhere in a line or a traceback.
_SECRETS: Final = (
    (PATTERN, _BLOTTED),
    (re.compile(r"(?i)(bearer\s+)[^\s'\",]+"), rf"\1{_BLOTTED}"),
    (re.compile(r"(?i)((?:set-)?cookie['\"]?\s*[:=,]\s*b?['\"]?)[^'\"\n]+"), rf"\1{_BLOTTED}"),
    (re.compile(r"(/(?:set-up|invitations|password-reset|email-change|calendar)/)[A-Za-z0-9_-]{16,}"), rf"\1{_BLOTTED}"),
    (re.compile(r"(\w+://[^:/@\s]*:)[^@/\s]+@"), rf"\1{_BLOTTED}@"),
)


def set_up(level: str, *, worker: int | None = None) -> None:
    """Configures all logging of this process, including that of libraries. `worker`: its number is in each line."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines(worker))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # Otherwise logging prints a record that it cannot format or write, with its unredacted arguments.
    logging.raiseExceptions = False
    # At DEBUG these two log every statement and frame; INFO is enough.
    for chatty in ("aiosqlite", "asyncio", "piccolo"):
        logging.getLogger(chatty).setLevel(max(logging.INFO, logging.getLevelName(level)))


class _JsonLines(logging.Formatter):
    """Formats a record as one JSON object, redacted."""

    def __init__(self, worker: int | None) -> None:
        super().__init__()
        self._fixed = {} if worker is None else {"worker": worker}

    def format(self, record: logging.LogRecord) -> str:
        texts = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "event": record.getMessage(),
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        if record.exc_info:
            texts["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            texts["stack"] = record.stack_info
        return json.dumps({name: redacted(text) for name, text in texts.items()} | self._fixed, sort_keys=True)


def redacted(text: str) -> str:
    """The text with all credentials redacted."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text
