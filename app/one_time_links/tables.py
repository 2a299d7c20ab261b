"""One-time links."""

from __future__ import annotations

from piccolo.columns import BigInt, Bytea, Varchar
from piccolo.table import Table


class LinkRow(Table, tablename="link"):
    """A link for set-up, an invitation or a password reset. `account` is the id of the user whose password it resets."""

    id = Varchar(length=24, primary_key=True)
    purpose = Varchar(length=20)
    digest = Bytea(unique=True)
    account = Varchar(length=24, null=True, default=None)
    workspace = Varchar(length=24, null=True, default=None, index=True)
    email = Varchar(length=320, null=True, default=None)
    role = Varchar(length=20, null=True, default=None)
    created_by = Varchar(length=24, null=True, default=None)
    created_at = BigInt()
    expires_at = BigInt()
    used_at = BigInt(null=True, default=None)
