"""Rotations. Hand-written SQL creates these tables: partial unique indexes, and a primary key of two columns."""

from __future__ import annotations

from piccolo.columns import BigInt, Bytea, ForeignKey, OnDelete, Varchar
from piccolo.table import Table

from app.keys.tables import ApiKeyRow
from app.tenancy.tables import WorkspaceRow


class RotationRow(Table, tablename="rotation"):
    """One rotation. While `ended_at` is null no other one has the same predecessor, nor the same successor.

    `repeat_scope` and `repeat_input` are digests of the idempotency key that started it, and of its input. `announced_state`: what
    was last sent to webhooks; NULL while it is ISSUED.
    """

    id = Varchar(length=24, primary_key=True)
    workspace = ForeignKey(WorkspaceRow, null=False, on_delete=OnDelete.restrict)
    predecessor = ForeignKey(ApiKeyRow, null=False, on_delete=OnDelete.restrict)
    successor = ForeignKey(ApiKeyRow, null=False, on_delete=OnDelete.restrict)
    started_at = BigInt()
    started_by_kind = Varchar(length=20)
    started_by_id = Varchar(length=24)
    started_by_name = Varchar(length=400)
    deadline = BigInt()
    on_deadline = Varchar(length=20)
    quiet_period = BigInt()
    repeat_scope = Bytea(null=True, default=None)
    repeat_input = Bytea(null=True, default=None)
    ended_at = BigInt(null=True, default=None)
    ended_by_kind = Varchar(length=20, null=True, default=None)
    ended_by_id = Varchar(length=24, null=True, default=None)
    ended_by_name = Varchar(length=400, null=True, default=None)
    outcome = Varchar(length=20, null=True, default=None)
    announced_state = Varchar(length=20, null=True, default=None)


class RotationDismissalRow(Table, tablename="rotation_dismissal"):
    """A user-agent family that was dismissed from a rotation. Primary key: both."""

    rotation = ForeignKey(RotationRow, primary_key=True, null=False, on_delete=OnDelete.restrict)
    user_agent = Varchar(length=60)
    at = BigInt()
    by_name = Varchar(length=400)
