"""What an export reads: the columns that a noun declares, of all workspaces or of one."""

from __future__ import annotations

from typing import Final

from app.noun import Export

_KEYS: Final = "SELECT id FROM api_key WHERE workspace = '{id}'"
# The rows that belong to a workspace, by what leads to it.
_OF: Final = {
    "id": "id = '{id}'",
    "workspace": "workspace = '{id}'",
    "chain": "chain = '{id}'",
    "key": f"key IN ({_KEYS})",
    "rotation": "rotation IN (SELECT id FROM rotation WHERE workspace = '{id}')",
    "member": "member IN (SELECT id FROM member WHERE workspace = '{id}')",
    # What belongs to no workspace.
    "installation": "1 = 0",
    "account": "id IN (SELECT account FROM member WHERE workspace = '{id}')",
}


def columns(export: Export, *, digests: bool) -> list[str]:
    return [*export.columns.split(), *(export.digests.split() if digests else ())]


def statement(export: Export, workspace_id: str | None, *, digests: bool) -> str:
    """SQL for the rows in the order of their first two columns. `workspace_id` is one that the database knows; None: all."""
    names = [f'"{name}"' for name in columns(export, digests=digests)]
    where = "" if workspace_id is None else f" WHERE {_OF[export.of].format(id=workspace_id)}"
    return f'SELECT {", ".join(names)} FROM "{export.table}"{where} ORDER BY {", ".join(names[:2])}'
