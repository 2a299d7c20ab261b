"""Counted attempts, and the networks from which users have signed in."""

from __future__ import annotations

from piccolo.columns import BigInt, Integer, Varchar
from piccolo.table import Table


class ThrottleRow(Table, tablename="throttle"):
    """Attempts in the running window of one bucket, e.g. one user's sign-ins."""

    bucket = Varchar(length=120, primary_key=True)
    window_start = BigInt()
    attempts = Integer()
