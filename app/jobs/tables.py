"""Jobs. The row of a job is also its lock, and says when it is next to be done."""

from __future__ import annotations

from piccolo.columns import BigInt, Varchar
from piccolo.table import Table


class JobRow(Table, tablename="job"):
    """No node starts the job before `until`: either a node is doing it and extends `until`, or it is not due yet."""

    name = Varchar(length=60, primary_key=True)
    until = BigInt()
