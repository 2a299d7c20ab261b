"""API keys, and idempotency keys. The digest columns are all that is stored of a secret."""

from __future__ import annotations

from piccolo.columns import BigInt, Bytea, ForeignKey, Integer, OnDelete, Text, Varchar
from piccolo.table import Table

from app.tenancy.tables import WorkspaceRow


class ApiKeyRow(Table, tablename="api_key"):
    id = Varchar(length=24, primary_key=True)
    workspace = ForeignKey(WorkspaceRow, null=False, on_delete=OnDelete.restrict, index=True)
    name = Varchar(length=200)
    name_key = Varchar(length=400)
    prefix = Varchar(length=24)
    digest = Bytea(unique=True)
    pepper_version = Integer()
    leak_digest = Bytea(null=True, default=None)
    environment = Varchar(length=60)
    permissions = Text()
    allowed_ips = Text()
    description = Text(null=True, default=None)
    labels = Text(default="")
    owner = Varchar(length=24, null=True, default=None)
    created_at = BigInt()
    created_by_kind = Varchar(length=20)
    created_by_id = Varchar(length=24)
    created_by_name = Varchar(length=400)
    expires_at = BigInt(null=True, default=None)
    suspended_at = BigInt(null=True, default=None)
    revoked_at = BigInt(null=True, default=None)
    revoked_by_kind = Varchar(length=20, null=True, default=None)
    revoked_by_id = Varchar(length=24, null=True, default=None)
    revoked_by_name = Varchar(length=400, null=True, default=None)
    revocation_reason = Varchar(length=40, null=True, default=None)
    revocation_note = Text(null=True, default=None)
    line_started_at = BigInt(null=True, default=None)


class ImportedKeyRow(Table, tablename="imported_key"):
    """A key that was issued elsewhere. `source`: by what; `external_id`: its id there. `algorithm`: of the hash that it came with;
    NULL once its secret was seen and digested."""

    key = ForeignKey(ApiKeyRow, primary_key=True, null=False, on_delete=OnDelete.restrict)
    source = Varchar(length=40)
    external_id = Varchar(length=200)
    algorithm = Varchar(length=10, null=True, default=None)
    imported_at = BigInt()


class IdempotencyRow(Table, tablename="idempotency"):
    """`scope`: a digest of workspace, actor, operation and the caller's key; `input`: a digest of the input."""

    scope = Bytea(primary_key=True)
    input = Bytea()
    result = Varchar(length=24)
    created_at = BigInt(index=True)


class KeyLastUsedRow(Table, tablename="key_last_used"):
    """When a valid key was last used. Inserted with the key, so that it can be locked."""

    key = Varchar(length=24, primary_key=True)
    last_used_at = BigInt(null=True, default=None)
    last_used_ip = Varchar(length=60, null=True, default=None)
