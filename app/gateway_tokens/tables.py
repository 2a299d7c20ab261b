"""Gateway tokens: with them a protected service calls `/v1/*`, for all workspaces or for one."""

from __future__ import annotations

from piccolo.columns import BigInt, Bytea, Integer, Varchar
from piccolo.table import Table


class GatewayTokenRow(Table, tablename="gateway_token"):
    id = Varchar(length=24, primary_key=True)
    name = Varchar(length=200)
    prefix = Varchar(length=24)
    digest = Bytea(unique=True)
    pepper_version = Integer()
    workspace = Varchar(length=24, null=True, default=None)
    environment = Varchar(length=60, null=True, default=None)
    created_at = BigInt()
    revoked_at = BigInt(null=True, default=None)
