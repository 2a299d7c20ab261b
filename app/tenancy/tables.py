"""Workspaces and their members. The row of a workspace is also its lock: every change updates `revision` first."""

from __future__ import annotations

from piccolo.columns import BigInt, Bytea, ForeignKey, Integer, OnDelete, SmallInt, Text, Varchar
from piccolo.table import Table

from app.users.tables import UserRow


class WorkspaceRow(Table, tablename="workspace"):
    id = Varchar(length=24, primary_key=True)
    slug = Varchar(length=60, unique=True)
    name = Varchar(length=200)
    plan = Varchar(length=60)
    timezone = Varchar(length=60)
    business_days = Text(null=True, default=None)
    business_opens = Varchar(length=5, null=True, default=None)
    business_closes = Varchar(length=5, null=True, default=None)
    created_at = BigInt()
    suspended_at = BigInt(null=True, default=None)
    revision = BigInt(default=0)
    audit_length = BigInt(default=0)
    audit_head = Bytea(default=b"")
    audit_key = Bytea(default=b"")
    webhooks = SmallInt(default=0)
    logs_requests = SmallInt(default=1)
    deleted_at = BigInt(null=True, default=None)


class MemberRow(Table, tablename="member"):
    """`account` is the user's id."""

    id = Varchar(length=24, primary_key=True)
    workspace = ForeignKey(WorkspaceRow, null=False, on_delete=OnDelete.restrict)
    account = ForeignKey(UserRow, null=False, on_delete=OnDelete.restrict, index=True)
    role = Varchar(length=20)
    created_at = BigInt()


class InstallationRow(Table, tablename="installation"):
    """One row, id 1: data outside workspaces, such as the system's audit chain."""

    id = Integer(primary_key=True)
    revision = BigInt(default=0)
    audit_length = BigInt(default=0)
    audit_head = Bytea(default=b"")
    audit_key = Bytea(default=b"")
