"""Counters. Verification writes them with its own SQL, in groups and in primary-key order; Piccolo reads them.

Their primary keys have several columns, which Piccolo does not support: the migration creates these tables by SQL and
the column marked as primary key here is only the first of them.
"""

from __future__ import annotations

from piccolo.columns import BigInt, Serial, SmallInt, Text, Varchar
from piccolo.table import Table


class UsageHourRow(Table, tablename="usage_hour"):
    """Requests of one key in one hour with one permission and one outcome. Primary key: these four.

    The database's triggers keep `usage_day`, the same by day (UTC), in the transaction that counts. Backups leave it out, because
    restoring this table derives it again.
    """

    key = Varchar(length=24, primary_key=True)
    hour = BigInt()
    permission = Varchar(length=120)
    outcome = Varchar(length=30)
    requests = BigInt()


class UsageBatchRow(Table, tablename="usage_batch"):
    """Responses to batches of usage reports, kept for 31 days. Primary key: gateway and batch; each imported log is a gateway."""

    gateway = Varchar(length=24, primary_key=True)
    batch = Varchar(length=40)
    answer = Text()
    received_at = BigInt()


class CallerRow(Table, tablename="caller"):
    """Requests of one key from one network by one user-agent family with one permission. Primary key: these four."""

    key = Varchar(length=24, primary_key=True)
    network = Varchar(length=50)
    user_agent = Varchar(length=60)
    permission = Varchar(length=120)
    id = Varchar(length=24, index=True)
    first_seen_at = BigInt()
    last_seen_at = BigInt()
    requests = BigInt()


class UsageLogRow(Table, tablename="usage_log"):
    """Uses that are not counted yet, as a JSON list of `counters.Use`. `merged` is 1 for a step of a fold, with few uses, else 0.

    Ids are never used again, so a row that is gone has been counted or merged.
    """

    id = Serial(primary_key=True)
    merged = SmallInt()
    uses = Text()


class WorkspaceDayRow(Table, tablename="workspace_day"):
    """Requests with all keys of a workspace on one closed day (UTC). Primary key: all but the count.

    A job adds it up; the triggers add what is counted later for such a day. Backups leave it out.
    """

    workspace = Varchar(length=24, primary_key=True)
    day = BigInt()
    permission = Varchar(length=120)
    outcome = Varchar(length=30)
    requests = BigInt()


class UsageClosedRow(Table, tablename="usage_closed"):
    """How far jobs have come: `what` is a workspace, whose days before `before` are in `workspace_day`, or `hours`."""

    what = Varchar(length=24, primary_key=True)
    before = BigInt()


class KeyRefusalRow(Table, tablename="key_refusal"):
    """Failed requests of one key in one slot of five minutes with one permission and outcome from one network, kept for a short
    time. Primary key: these five."""

    key = Varchar(length=24, primary_key=True)
    slot = BigInt(index=True)
    permission = Varchar(length=120)
    outcome = Varchar(length=30)
    network = Varchar(length=50)
    requests = BigInt()
    first_at = BigInt()
    last_at = BigInt()


class KeyWatchRow(Table, tablename="key_watch"):
    """Keys that were used recently. `fresh`: 1 if it was used since it was last evaluated, 2 while it is evaluated, else 0."""

    key = Varchar(length=24, primary_key=True)
    fresh = SmallInt()
    evaluated_at = BigInt()
