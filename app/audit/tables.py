"""One row for each change; `chain` is a workspace's id, or `system`."""

from __future__ import annotations

from piccolo.columns import BigInt, Bytea, Text, Varchar
from piccolo.table import Table


class AuditEntryRow(Table, tablename="audit_entry"):
    id = Varchar(length=24, primary_key=True)
    chain = Varchar(length=24)
    position = BigInt()
    at = BigInt()
    actor_kind = Varchar(length=20)
    actor_id = Varchar(length=24)
    actor_name = Varchar(length=400)
    action = Varchar(length=60)
    target = Varchar(length=60)
    detail = Text()
    address = Varchar(length=60)
    user_agent = Varchar(length=400)
    request_id = Varchar(length=60)
    mac = Bytea()
