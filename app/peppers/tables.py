"""A fingerprint for each pepper there ever was; digests name its version."""

from __future__ import annotations

from piccolo.columns import BigInt, Bytea, Integer
from piccolo.table import Table


class PepperRow(Table, tablename="pepper"):
    version = Integer(primary_key=True)
    fingerprint = Bytea()
    created_at = BigInt()
