"""Jobs. The row of a job is also its lock, and says when it is next to be done."""

from __future__ import annotations

from piccolo.columns import BigInt, Varchar
from piccolo.table import Table


class JobRow(Table, tablename="job"):
    """Until `until` nobody begins: either a node is at work and keeps moving it on, or it is not time yet."""

    name = Varchar(length=60, primary_key=True)
    until = BigInt()
