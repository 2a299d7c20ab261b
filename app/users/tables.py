"""Users."""

from __future__ import annotations

from piccolo.columns import BigInt, Text, Varchar
from piccolo.table import Table


class UserRow(Table, tablename="account"):
    """The table keeps the name that it had in the first release."""

    id = Varchar(length=24, primary_key=True)
    email = Varchar(length=320)
    email_key = Varchar(length=320, unique=True)
    name = Varchar(length=200)
    password_hash = Text()
    created_at = BigInt()
    last_workspace = Varchar(length=24, null=True, default=None)
