"""The outbox. Hand-written SQL creates the table, because of its partial index of what is due."""

from __future__ import annotations

from piccolo.columns import BigInt, Bytea, Integer, Varchar
from piccolo.table import Table


class OutboxRow(Table, tablename="outbox"):
    """An item of one kind. `due_at`: when it is next to be handled; NULL once it is done. `content` is sealed by the pepper, and
    empty once the item is done."""

    id = Varchar(length=24, primary_key=True)
    kind = Varchar(length=20)
    workspace = Varchar(length=24, null=True, default=None)
    content = Bytea()
    created_at = BigInt()
    due_at = BigInt(null=True, default=None)
    attempts = Integer(default=0)
    done_at = BigInt(null=True, default=None)
