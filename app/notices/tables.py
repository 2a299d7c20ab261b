"""Notices. Hand-written SQL makes the table: a primary key of four columns, and an index of the open ones alone."""

from __future__ import annotations

from piccolo.columns import BigInt, ForeignKey, Integer, OnDelete, Varchar
from piccolo.table import Table

from app.keys.tables import ApiKeyRow
from app.tenancy.tables import WorkspaceRow


class NoticeRow(Table, tablename="notice"):
    """Told once for ever. Primary key: key, kind, days, about.

    `resolved_at` is when the job found that nothing is left to do about it; readers do not wait for that.
    """

    key = ForeignKey(ApiKeyRow, primary_key=True, null=False, on_delete=OnDelete.restrict)
    kind = Varchar(length=20)
    days = Integer()
    about = BigInt()
    workspace = ForeignKey(WorkspaceRow, null=False, on_delete=OnDelete.restrict)
    at = BigInt()
    resolved_at = BigInt(null=True, default=None)
