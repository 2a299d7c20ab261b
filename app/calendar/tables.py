"""Calendar links, at most one per workspace."""

from __future__ import annotations

from piccolo.columns import BigInt, Bytea, ForeignKey, OnDelete, Varchar
from piccolo.table import Table

from app.tenancy.tables import WorkspaceRow


class CalendarLinkRow(Table, tablename="calendar_link"):
    """`digest` is the SHA-256 of the token, which only the link contains. `created_by`: the user whose role the link depends on."""

    workspace = ForeignKey(WorkspaceRow, primary_key=True, null=False, on_delete=OnDelete.restrict)
    digest = Bytea(unique=True)
    created_at = BigInt()
    created_by = Varchar(length=24)
    created_by_name = Varchar(length=400)
