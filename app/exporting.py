"""Exports the contents of the installation, or of one workspace, as JSON lines that need no Keydesk to be read (docs/moving.md).

No secret is in them: no key, no password's hash, no address or secret of a webhook; digests of keys only if they are asked for.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator
from importlib.metadata import version
from typing import Any, Final

from app import clock, database, nouns
from app.access import policy
from app.access.actor import Actor
from app.access.policy import OperatorAction
from app.database import exported
from app.database.snapshots import snapshot
from app.tenancy import service as tenancy

FORMAT: Final = 1
_WORDS: Final = frozenset({"permissions", "labels", "allowed_ips", "scopes", "events", "business_days", "kinds"})
_JSON: Final = frozenset({"detail", "rule", "evidence", "baseline", "choices"})
_FLAGS: Final = frozenset({"logs_requests", "accepted"})
_INSTANTS: Final = frozenset({"at", "day", "deadline", "previous_until"})
# Names in the database from its first release.
_RENAMED: Final = {"account": "user", "key": "apiKey"}


async def lines(actor: Actor, slug: str | None, *, digests: bool) -> AsyncIterator[str]:
    """The lines of an export of this workspace, or of everything: one moment of all tables, read in pages while the server runs.

    The first line says what it is, the last one how many lines of each type are between. Operator only. Raises NotAllowed,
    NotFound, Unavailable.
    """
    policy.require_operator(actor, OperatorAction.EXPORT)
    workspace_id = (await tenancy.seen(actor, slug)).workspace.id if slug is not None else None
    await database.settle()
    yield _line("export", version=FORMAT, keydesk=version("keydesk"), exportedAt=clock.rfc3339(await database.now()),
                workspace=slug, digests=digests)  # fmt: skip
    counts: Counter[str] = Counter()
    async with snapshot() as rows_of:
        for export in nouns.EXPORTS:
            names = exported.columns(export, digests=digests)
            async for page in rows_of(exported.statement(export, workspace_id, digests=digests)):
                counts[export.type] += len(page)
                yield "".join(_line(export.type, **_fields(names, row)) for row in page)
    yield _line("end", lines=counts)


def _line(type: str, **fields: Any) -> str:
    return json.dumps({"type": type, **fields}, ensure_ascii=False) + "\n"


def _fields(names: list[str], row: tuple[Any, ...]) -> dict[str, Any]:
    return {_camel(_RENAMED.get(name, name)): _value(name, value) for name, value in zip(names, row, strict=True)}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)


def _value(name: str, value: Any) -> Any:
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    if value is None:
        return [] if name in _WORDS else None
    if name in _WORDS:
        return value.split()
    if name in _JSON:
        return json.loads(value)
    if name in _FLAGS:
        return bool(value)
    return clock.rfc3339(value) if name in _INSTANTS or name.endswith("_at") else value
