"""Logged requests. The usage log's fold inserts them; hand-written SQL creates the table, because of its indexes."""

from __future__ import annotations

from piccolo.columns import BigInt, SmallInt, Text, Varchar
from piccolo.table import Table


class LoggedRequestRow(Table, tablename="logged_request"):
    """`rule`: JSON of `request.Rule`, for refused requests. `accepted`: 1 if the outcome is VALID."""

    id = Varchar(length=24, primary_key=True)
    key = Varchar(length=24)
    at = BigInt(index=True)
    accepted = SmallInt()
    outcome = Varchar(length=30)
    permission = Varchar(length=120)
    network = Varchar(length=50)
    user_agent = Varchar(length=60)
    rule = Text(null=True, default=None)
