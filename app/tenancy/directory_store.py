"""The list of all workspaces, for the operator."""

from __future__ import annotations

from typing import Any, Final

from app import database
from app.database.sql import contains, newest_first, pattern
from app.paging import Page, Window
from app.tenancy.store import workspace_of
from app.tenancy.workspace import Workspace, WorkspaceFilter

_SEARCHED: Final = ("w.name", "w.slug", "w.id")
# No workspace has a longer name, slug or id.
_LONGEST: Final = 200


async def page(filter: WorkspaceFilter, window: Window) -> tuple[Page[Workspace], int]:
    """Newest first, and the database's time; a position is `created_at` and the id."""
    where, given = _where(filter)
    bounds, order, arguments = newest_first(window, "w.created_at", "w.id")
    rows = await database.fetch(f"SELECT w.* FROM workspace w WHERE {where}{bounds} {order}", *given, *arguments)
    return window.page([workspace_of(row) for row in rows]), await database.now()


async def count(filter: WorkspaceFilter) -> int:
    where, given = _where(filter)
    return int((await database.fetch(f"SELECT count(*) AS n FROM workspace w WHERE {where}", *given))[0]["n"])


def _where(filter: WorkspaceFilter) -> tuple[str, list[Any]]:
    parts, arguments = [f"w.deleted_at IS {'NOT ' if filter.deleted else ''}NULL"], list[Any]()
    # SQLite refuses long patterns.
    if filter.search and len(filter.search) > _LONGEST:
        parts.append("1 = 0")
    elif filter.search:
        found = (contains(column, is_sqlite=database.is_sqlite()) for column in _SEARCHED)
        parts.append(f"({' OR '.join(found)})")
        arguments += [pattern(filter.search)] * len(_SEARCHED)
    if filter.plan is not None:
        parts.append("w.plan = {}")
        arguments.append(filter.plan)
    if filter.suspended is not None:
        parts.append(f"w.suspended_at IS {'NOT ' if filter.suspended else ''}NULL")
    return " AND ".join(parts), arguments
