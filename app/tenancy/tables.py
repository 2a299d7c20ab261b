"""Workspaces, people, and who belongs where. The row of a workspace is also its lock: every change updates `revision` first."""

from __future__ import annotations

from piccolo.columns import BigInt, Bytea, ForeignKey, Integer, OnDelete, Text, Varchar
from piccolo.table import Table


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


class UserRow(Table, tablename="account"):
    id = Varchar(length=24, primary_key=True)
    email = Varchar(length=320)
    email_key = Varchar(length=320, unique=True)
    name = Varchar(length=200)
    password_hash = Text()
    created_at = BigInt()
    last_workspace = Varchar(length=24, null=True, default=None)


class MemberRow(Table, tablename="member"):
    id = Varchar(length=24, primary_key=True)
    workspace = ForeignKey(WorkspaceRow, null=False, on_delete=OnDelete.restrict)
    account = ForeignKey(UserRow, null=False, on_delete=OnDelete.restrict, index=True)
    role = Varchar(length=20)
    created_at = BigInt()


class InstallationRow(Table, tablename="installation"):
    """One row, id 1: what belongs to no workspace, the system's audit chain among it."""

    id = Integer(primary_key=True)
    revision = BigInt(default=0)
    audit_length = BigInt(default=0)
    audit_head = Bytea(default=b"")
    audit_key = Bytea(default=b"")
