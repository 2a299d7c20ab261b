"""Alerts, what is usual for keys, and what people have called expected. Hand-written SQL creates the tables."""

from __future__ import annotations

from piccolo.columns import BigInt, ForeignKey, Integer, OnDelete, SmallInt, Text, Varchar
from piccolo.table import Table

from app.keys.tables import ApiKeyRow
from app.tenancy.tables import MemberRow, WorkspaceRow


class AlertRow(Table, tablename="alert"):
    """An alert that was raised. Key, kind, days and about together are unique, so none is raised twice.

    `resolved_at` of an alert about a date is when the job found that no action is left; queries do not depend on it. `parts` and
    `subjects` are the counters and values by which an incident is recognized again (`incident.Incident`). `suspended_at`: when the
    alert has suspended its key; `suspension_withheld`: why it has not, although its rule is set to.
    """

    id = Varchar(length=24, primary_key=True)
    workspace = ForeignKey(WorkspaceRow, null=False, on_delete=OnDelete.restrict)
    key = ForeignKey(ApiKeyRow, null=False, on_delete=OnDelete.restrict)
    kind = Varchar(length=30)
    days = Integer()
    about = BigInt()
    at = BigInt()
    resolved_at = BigInt(null=True, default=None)
    last_seen_at = BigInt()
    requests = BigInt()
    evidence = Text()
    baseline = Text()
    parts = Text()
    subjects = Text()
    resolution = Varchar(length=20, null=True, default=None)
    resolved_by_kind = Varchar(length=20, null=True, default=None)
    resolved_by_id = Varchar(length=24, null=True, default=None)
    resolved_by_name = Varchar(length=400, null=True, default=None)
    suspended_at = BigInt(null=True, default=None)
    suspension_withheld = Varchar(length=20, null=True, default=None)


class AutomaticSuspensionRow(Table, tablename="automatic_suspension"):
    """Which rules suspend keys of a workspace by themselves, separated by spaces, and how many keys at most within 24 hours. A
    workspace without a row has none of them."""

    workspace = ForeignKey(WorkspaceRow, primary_key=True, null=False, on_delete=OnDelete.restrict)
    kinds = Text()
    most_a_day = SmallInt()


class AlertMailRow(Table, tablename="alert_mail"):
    """How a member gets which kinds of alerts by e-mail, as JSON, and at which hour their digest; both end with the membership."""

    member = ForeignKey(MemberRow, primary_key=True, null=False, on_delete=OnDelete.cascade)
    choices = Text()
    digest_hour = SmallInt()
    digested_at = BigInt(null=True, default=None)


class AlertDigestRow(Table, tablename="alert_digest"):
    """An alert that waits for the digest of a member, which is due at `due_at`. Primary key: member and alert."""

    member = ForeignKey(MemberRow, primary_key=True, null=False, on_delete=OnDelete.cascade)
    alert = ForeignKey(AlertRow, null=False, on_delete=OnDelete.cascade, index=True)
    due_at = BigInt(index=True)


class NoticeRow(Table, tablename="notice"):
    """Alerts about dates of the version before, which still writes them while nodes are replaced. Primary key: the first four."""

    key = ForeignKey(ApiKeyRow, primary_key=True, null=False, on_delete=OnDelete.restrict)
    kind = Varchar(length=20)
    days = Integer()
    about = BigInt()
    workspace = ForeignKey(WorkspaceRow, null=False, on_delete=OnDelete.restrict)
    at = BigInt()
    resolved_at = BigInt(null=True, default=None)


class KeyBaselineRow(Table, tablename="key_baseline"):
    """What was usual for a key when it was last learned, as JSON of `baseline.Baseline`."""

    key = ForeignKey(ApiKeyRow, primary_key=True, null=False, on_delete=OnDelete.restrict)
    workspace = ForeignKey(WorkspaceRow, null=False, on_delete=OnDelete.restrict, index=True)
    learned_at = BigInt()
    learned = Text()


class AlertExpectationRow(Table, tablename="alert_expectation"):
    """What was marked as expected for a key, or with an empty key for the workspace. Primary key: all but `at`."""

    workspace = ForeignKey(WorkspaceRow, primary_key=True, null=False, on_delete=OnDelete.restrict)
    key = Varchar(length=24)
    kind = Varchar(length=30)
    value = Varchar(length=120)
    at = BigInt()
