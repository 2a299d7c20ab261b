"""Webhooks and their deliveries. Hand-written SQL creates the tables, because of their partial indexes."""

from __future__ import annotations

from piccolo.columns import BigInt, Bytea, ForeignKey, Integer, OnDelete, Text, Varchar
from piccolo.table import Table

from app.tenancy.tables import WorkspaceRow


class WebhookRow(Table, tablename="webhook"):
    """`sealed`: URL and secrets, encrypted under the pepper. `events`: names with blanks between, none for all."""

    id = Varchar(length=24, primary_key=True)
    workspace = ForeignKey(WorkspaceRow, null=False, on_delete=OnDelete.restrict, index=True)
    name = Varchar(length=400)
    kind = Varchar(length=20)
    sealed = Bytea()
    events = Text()
    created_at = BigInt()
    created_by_name = Varchar(length=400)
    previous_until = BigInt(null=True, default=None)
    disabled_at = BigInt(null=True, default=None)
    disabled_because = Varchar(length=20, null=True, default=None)
    failing_since = BigInt(null=True, default=None)


class WebhookDeliveryRow(Table, tablename="webhook_delivery"):
    """A message for one webhook, unique for both. `due_at`: the next attempt; NULL once it was delivered or given up. `retry`: how
    many pauses of the schedule have passed."""

    id = Varchar(length=24, primary_key=True)
    webhook = ForeignKey(WebhookRow, null=False, on_delete=OnDelete.cascade)
    message = Varchar(length=24)
    type = Varchar(length=60)
    body = Text()
    created_at = BigInt()
    due_at = BigInt(null=True, default=None)
    state = Varchar(length=20)
    attempts = Integer(default=0)
    retry = Integer(default=0)
    attempted_at = BigInt(null=True, default=None)
    status_code = Integer(null=True, default=None)
    duration_ms = Integer(null=True, default=None)
    response = Text(null=True, default=None)
    failure = Text(null=True, default=None)
    finished_at = BigInt(null=True, default=None)
