"""Counters. Verification writes them with its own SQL, in groups and in primary-key order; Piccolo reads them.

Their primary keys have several columns, which Piccolo cannot express: the migration creates these tables by SQL and
the column marked as primary key here is only the first of them.
"""

from __future__ import annotations

from piccolo.columns import BigInt, Text, Varchar
from piccolo.table import Table


class UsageHourRow(Table, tablename="usage_hour"):
    """Requests of one key in one hour with one permission and one outcome. Primary key: these four.

    The database's triggers keep `usage_day`, the same by days (UTC), in the transaction that counts. It is made of this table, so a
    backup leaves it out: restoring this table makes it again.
    """

    key = Varchar(length=24, primary_key=True)
    hour = BigInt()
    permission = Varchar(length=120)
    outcome = Varchar(length=30)
    requests = BigInt()


class UsageBatchRow(Table, tablename="usage_batch"):
    """Answers already given to `/v1/usage`, kept 31 days. Primary key: gateway and batch."""

    gateway = Varchar(length=24, primary_key=True)
    batch = Varchar(length=40)
    answer = Text()
    received_at = BigInt()


class CallerRow(Table, tablename="caller"):
    """Requests of one key from one network by one family of programs with one permission. Primary key: these four."""

    key = Varchar(length=24, primary_key=True)
    network = Varchar(length=50)
    user_agent = Varchar(length=60)
    permission = Varchar(length=120)
    id = Varchar(length=24, index=True)
    first_seen_at = BigInt()
    last_seen_at = BigInt()
    requests = BigInt()
