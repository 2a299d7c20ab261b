"""Logs: one JSON object a line on stderr, and no secret in any of them, whoever wrote the line and at whatever level."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, Final

import structlog

from app.keys.secret import PATTERN

_BLOTTED: Final = "[secret]"
# Beside keys: what opens a session, a link or a connection, wherever it stands in a line or a traceback.
_SECRETS: Final = (
    (PATTERN, _BLOTTED),
    (re.compile(r"(?i)(bearer\s+)[^\s'\",]+"), rf"\1{_BLOTTED}"),
    (re.compile(r"(?i)((?:set-)?cookie['\"]?\s*[:=,]\s*b?['\"]?)[^'\"\n]+"), rf"\1{_BLOTTED}"),
    (re.compile(r"(/(?:set-up|invitations|password-reset|calendar)/)[A-Za-z0-9_-]{16,}"), rf"\1{_BLOTTED}"),
    (re.compile(r"(\w+://[^:/@\s]*:)[^@/\s]+@"), rf"\1{_BLOTTED}@"),
)


def set_up(level: str) -> None:
    """Everything that this process logs goes through here, the libraries' lines too."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_log_level, structlog.stdlib.add_logger_name, _at],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                _without_secrets,
                structlog.processors.JSONRenderer(sort_keys=True),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # Else a line that cannot be formatted or written is printed with its arguments as they are.
    logging.raiseExceptions = False
    # At DEBUG these two write every statement and frame; what we need to know of them they say at INFO.
    for chatty in ("aiosqlite", "asyncio", "piccolo"):
        logging.getLogger(chatty).setLevel(max(logging.INFO, logging.getLevelName(level)))


def blotted(text: str) -> str:
    """The text without what could open anything."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


def _at(logger: Any, name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    event["at"] = structlog.processors.TimeStamper(fmt="iso", utc=True)(logger, name, {})["timestamp"]
    return event


def _without_secrets(logger: Any, name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {key: blotted(value) if isinstance(value, str) else value for key, value in event.items()}
