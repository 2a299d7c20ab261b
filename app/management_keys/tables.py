"""Management keys: credentials for GraphQL. `maker` is the member whose current role limits the key."""

from __future__ import annotations

from piccolo.columns import BigInt, Bytea, ForeignKey, Integer, OnDelete, Text, Varchar
from piccolo.table import Table

from app.tenancy.tables import WorkspaceRow


class ManagementKeyRow(Table, tablename="management_key"):
    id = Varchar(length=24, primary_key=True)
    workspace = ForeignKey(WorkspaceRow, null=False, on_delete=OnDelete.restrict, index=True)
    name = Varchar(length=200)
    prefix = Varchar(length=24)
    digest = Bytea(unique=True)
    pepper_version = Integer()
    scopes = Text()
    allowed_ips = Text()
    maker = Varchar(length=24)
    created_at = BigInt()
    expires_at = BigInt()
    revoked_at = BigInt(null=True, default=None)
    last_used_at = BigInt(null=True, default=None)
