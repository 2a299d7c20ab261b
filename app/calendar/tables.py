"""The link of a workspace's calendar, one at most."""

from __future__ import annotations

from piccolo.columns import BigInt, Bytea, ForeignKey, OnDelete, Varchar
from piccolo.table import Table

from app.tenancy.tables import WorkspaceRow


class CalendarLinkRow(Table, tablename="calendar_link"):
    """`digest` is the SHA-256 of the token, which is nowhere but in the link. `created_by` is whose word the link counts on."""

    workspace = ForeignKey(WorkspaceRow, primary_key=True, null=False, on_delete=OnDelete.restrict)
    digest = Bytea(unique=True)
    created_at = BigInt()
    created_by = Varchar(length=24)
    created_by_name = Varchar(length=400)
