"""Files that spreadsheets open: no cell is evaluated as a formula."""

from __future__ import annotations

import csv
import io
import json

import pytest

from app.downloads import Format, csv_row, defused


@pytest.mark.parametrize("cell", ["=1", "+1", "-1", "@a", "\tx", "\rx", "\nx", "＝1", "＋1", "－1", "＠a"])
def test_a_cell_that_a_spreadsheet_would_evaluate_begins_with_an_apostrophe(cell: str) -> None:
    assert defused(cell) == f"'{cell}"
    ((read,),) = csv.reader(io.StringIO(csv_row([cell]), newline=""))
    assert read == f"'{cell}"


@pytest.mark.parametrize("cell", ["", "a=1", "1-2", "key_x", 'with "quotes", commas\nand lines', "ü"])
def test_other_cells_are_unchanged(cell: str) -> None:
    assert list(csv.reader(io.StringIO(csv_row(["a", cell]), newline=""))) == [["a", cell]]


def test_both_formats_have_the_same_rows() -> None:
    row = {"name": "=x", "count": -3, "nothing": None}
    assert Format.CSV.heading(row) + Format.CSV.line(row) == "name,count,nothing\r\n'=x,-3,\r\n"
    assert Format.JSON_LINES.heading(row) == "" and json.loads(Format.JSON_LINES.line(row)) == row
