"""Folders."""

from __future__ import annotations

from piccolo.columns import BigInt, ForeignKey, OnDelete, Varchar
from piccolo.table import Table

from app.tenancy.tables import WorkspaceRow


class FolderRow(Table, tablename="folder"):
    id = Varchar(length=24, primary_key=True)
    workspace = ForeignKey(WorkspaceRow, null=False, on_delete=OnDelete.restrict)
    name = Varchar(length=100)
    created_at = BigInt()
