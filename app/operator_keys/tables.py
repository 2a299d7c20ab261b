"""Operator keys: credentials for GraphQL that belong to no workspace."""

from __future__ import annotations

from piccolo.columns import BigInt, Bytea, Integer, Text, Varchar
from piccolo.table import Table


class OperatorKeyRow(Table, tablename="operator_key"):
    id = Varchar(length=24, primary_key=True)
    name = Varchar(length=200)
    prefix = Varchar(length=24)
    digest = Bytea(unique=True)
    pepper_version = Integer()
    scopes = Text()
    allowed_ips = Text()
    created_at = BigInt()
    expires_at = BigInt()
    revoked_at = BigInt(null=True, default=None)
    last_used_at = BigInt(null=True, default=None)
