"""Confirmations of items, and visits to pages that show usage. Their primary keys have two columns: the migration creates them."""

from __future__ import annotations

from piccolo.columns import BigInt, ForeignKey, OnDelete, Text, Varchar
from piccolo.table import Table

from app.tenancy.tables import WorkspaceRow
from app.users.tables import UserRow


class AttestationRow(Table, tablename="checklist_attestation"):
    """The latest confirmation of an item; earlier ones are in the audit log. Primary key: workspace and item."""

    workspace = ForeignKey(WorkspaceRow, primary_key=True, null=False, on_delete=OnDelete.restrict)
    item = Varchar(length=40)
    at = BigInt()
    by_kind = Varchar(length=20)
    by_id = Varchar(length=24)
    by_name = Varchar(length=400)
    runbook_url = Text(null=True, default=None)


class UsageVisitRow(Table, tablename="usage_visit"):
    """When a user last opened a page that shows usage, exact to a day. Primary key: workspace and account."""

    workspace = ForeignKey(WorkspaceRow, primary_key=True, null=False, on_delete=OnDelete.restrict)
    account = ForeignKey(UserRow, null=False, on_delete=OnDelete.restrict)
    at = BigInt()
