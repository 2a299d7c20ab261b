"""Counters. Verification writes them with its own SQL, in groups and in primary-key order; Piccolo reads them.

Their primary keys have several columns, which Piccolo cannot express: the migration creates these tables by SQL and
the column marked as primary key here is only the first of them.
"""

from __future__ import annotations

from piccolo.columns import BigInt, Text, Varchar
from piccolo.table import Table


class UsageHourRow(Table, tablename="usage_hour"):
    """Requests of one key in one hour with one permission and one outcome. Primary key: these four."""

    key = Varchar(length=24, primary_key=True)
    hour = BigInt()
    permission = Varchar(length=120)
    outcome = Varchar(length=30)
    requests = BigInt()


class KeyLastUsedRow(Table, tablename="key_last_used"):
    """When a good key was last presented. Made with the key, so that it can be locked."""

    key = Varchar(length=24, primary_key=True)
    last_used_at = BigInt(null=True, default=None)
    last_used_ip = Varchar(length=60, null=True, default=None)


class UsageBatchRow(Table, tablename="usage_batch"):
    """Answers already given to `/v1/usage`, kept 31 days. Primary key: gateway and batch."""

    gateway = Varchar(length=24, primary_key=True)
    batch = Varchar(length=40)
    answer = Text()
    received_at = BigInt()
