"""Usage as a file: a row for each hour or day, key, permission and outcome. Read a few keys at a time, so a year of many fits."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, Final, TypeAlias

from app import clock
from app.access.policy import Action
from app.downloads import Format
from app.keys.key import ApiKey
from app.pace import in_slices
from app.tenancy.service import Access
from app.usage import store
from app.usage.ranges import Range
from app.usage.usage import SUCCESSES

COLUMNS: Final = ("at", "granularity", "apiKey", "name", "labels", "permission", "outcome", "successful", "requests")
_KEYS_AT_ONCE: Final = 10
_LINES_AT_ONCE: Final = 100
# Name and labels by id; labels as words in one text.
_Keys: TypeAlias = dict[str, tuple[str, str]]


def of_key(access: Access, key: ApiKey, period: Range, form: Format) -> AsyncIterator[str]:
    """The usage of a key, in pieces. Raises NotAllowed before the first one."""
    access.require(Action.READ_USAGE, key)
    return _file({key.id: (key.name, " ".join(key.labels))}, period, form)


def of_workspace(access: Access, period: Range, form: Format) -> AsyncIterator[str]:
    """The usage of all keys of a workspace, ordered by key, in pieces. Raises NotAllowed before the first one."""
    access.require(Action.READ_USAGE)
    return _workspace(access.workspace.id, period, form)


async def _workspace(workspace_id: str, period: Range, form: Format) -> AsyncIterator[str]:
    yield form.heading(COLUMNS)
    after = ""
    while keys := await store.names_and_labels(workspace_id, after, _KEYS_AT_ONCE):
        async for piece in _pieces(keys, period, form):
            yield piece
        after = max(keys)


async def _file(keys: _Keys, period: Range, form: Format) -> AsyncIterator[str]:
    yield form.heading(COLUMNS)
    async for piece in _pieces(keys, period, form):
        yield piece


async def _pieces(keys: _Keys, period: Range, form: Format) -> AsyncIterator[str]:
    lines: list[str] = []
    async for row in in_slices(await store.rows(list(keys), *period.span)):
        lines.append(form.line(_row(row, period, keys)))
        if len(lines) == _LINES_AT_ONCE:
            yield "".join(lines)
            lines.clear()
    if lines:
        yield "".join(lines)


def _row(row: Sequence[Any], period: Range, keys: _Keys) -> dict[str, Any]:
    key_id, at, permission, outcome, requests = row
    name, labels = keys[key_id]
    return {
        "at": clock.rfc3339(at),
        "granularity": str(period.granularity),
        "apiKey": key_id,
        "name": name,
        "labels": labels,
        "permission": permission or None,
        "outcome": outcome,
        "successful": outcome in SUCCESSES,
        "requests": int(requests),
    }
