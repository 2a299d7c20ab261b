"""Sessions, the links sent to people, and what throttles guessing."""

from __future__ import annotations

from piccolo.columns import BigInt, Bytea, ForeignKey, Integer, OnDelete, Varchar
from piccolo.table import Table

from app.tenancy.tables import UserRow


class SessionRow(Table, tablename="session"):
    id = Varchar(length=24, primary_key=True)
    digest = Bytea(unique=True)
    account = ForeignKey(UserRow, null=False, on_delete=OnDelete.cascade, index=True)
    created_at = BigInt()
    seen_at = BigInt()
    authenticated_at = BigInt()
    address = Varchar(length=60)
    user_agent = Varchar(length=400)


class LinkRow(Table, tablename="link"):
    """A one-time link: set-up, invitation or password reset. Only the digest of its token is kept."""

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


class ThrottleRow(Table, tablename="throttle"):
    """Attempts in the running window of one bucket, e.g. one account's sign-ins."""

    bucket = Varchar(length=120, primary_key=True)
    window_start = BigInt()
    attempts = Integer()
