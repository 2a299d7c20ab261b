"""Sessions."""

from __future__ import annotations

from piccolo.columns import BigInt, Bytea, ForeignKey, OnDelete, Varchar
from piccolo.table import Table

from app.users.tables import UserRow


class SessionRow(Table, tablename="session"):
    """`account` is the user's id; `digest` is the SHA-256 of the token."""

    id = Varchar(length=24, primary_key=True)
    digest = Bytea(unique=True)
    account = ForeignKey(UserRow, null=False, on_delete=OnDelete.cascade, index=True)
    created_at = BigInt()
    seen_at = BigInt()
    authenticated_at = BigInt()
    address = Varchar(length=60)
    user_agent = Varchar(length=400)
