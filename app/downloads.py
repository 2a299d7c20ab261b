"""Formats of downloads: CSV whose cells no spreadsheet takes for formulas, and JSON Lines."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, Final

# A spreadsheet takes a cell that begins with one of these, or with its full-width form, for a formula (OWASP, CSV injection).
_FORMULA: Final = tuple("=+-@\t\r\n＝＋－＠")


class Format(StrEnum):
    """Kinds of file, by their extension."""

    CSV = "csv"
    JSON_LINES = "jsonl"

    @property
    def media_type(self) -> str:
        return "text/csv" if self is Format.CSV else "application/jsonl"

    def heading(self, columns: Iterable[str]) -> str:
        """What the file begins with."""
        return csv_row(columns) if self is Format.CSV else ""

    def line(self, row: Mapping[str, Any]) -> str:
        """A row of the file; its columns are in the order of the heading."""
        return csv_row(row.values()) if self is Format.CSV else json.dumps(row, ensure_ascii=False) + "\n"


def csv_row(cells: Iterable[object]) -> str:
    """One row (RFC 4180). Empty for None."""
    out = io.StringIO()
    csv.writer(out).writerow([defused(cell) if isinstance(cell, str) else cell for cell in cells])
    return out.getvalue()


def defused(cell: str) -> str:
    """The cell, as text that no spreadsheet evaluates."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def file_headers(name: str) -> dict[str, str]:
    """Headers with which a browser stores the answer as a file; `name` is plain ASCII."""
    return {"content-disposition": f'attachment; filename="{name}"'}
