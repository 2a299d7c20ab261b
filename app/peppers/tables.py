"""The fingerprint of every pepper ever used; digests refer to its version."""

from __future__ import annotations

from piccolo.columns import BigInt, Bytea, Integer
from piccolo.table import Table


class PepperRow(Table, tablename="pepper"):
    version = Integer(primary_key=True)
    fingerprint = Bytea()
    created_at = BigInt()
