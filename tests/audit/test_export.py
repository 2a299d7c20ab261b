"""The export: what it contains, that no spreadsheet evaluates it, and that any change of it is named without the database."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from app import database
from app.access.actor import Actor, ActorKind, Request, Scope
from app.access.policy import RECENT
from app.audit import exported, store
from app.audit import service as audit
from app.audit.checking import ALTERED, MISSING, NOT_AS_NOTED, NOT_THE_HEAD
from app.audit.entry import EntryFilter
from app.audit.export import COLUMNS
from app.audit.exported import CUT, OUT_OF_PLACE, ExportFault
from app.downloads import Format
from app.errors import ConfirmationNeeded, NotAllowed, StartRefused
from app.gateway_tokens import service as gateway_tokens
from app.keys import service as keys
from app.keys.key import Reason
from app.tenancy.service import Access
from tests.conftest import PEPPER, Team, make_key
from tests.support.access import seen

PEPPERS = (PEPPER.encode(),)


async def exported_lines(access: Access, form: Format = Format.JSON_LINES, filter: EntryFilter = EntryFilter()) -> str:
    return "".join([piece async for piece in audit.export(access, form, filter)])


@pytest.fixture
async def access(team: Team) -> Access:
    """A workspace with five entries."""
    made = await make_key(team, "naïve “quotes” \U0001f5dd")
    await keys.suspend(team.owner, made.key.id)
    await keys.resume(team.editor, made.key.id)
    await keys.revoke(team.owner, made.key.id, Reason.OTHER)
    await make_key(team)
    return await seen(team.owner, team.slug)


@pytest.fixture
async def text(access: Access) -> str:
    return await exported_lines(access)


def check(text: str, **ends: Any) -> ExportFault | None:
    return exported.check(io.StringIO(text, newline="\n"), PEPPERS, ends)[2]


async def test_json_lines_contain_every_entry_with_its_mac_and_the_one_before_it(access: Access, text: str) -> None:
    heading, *entries, end = [json.loads(line) for line in text.splitlines()]
    stored = await store.oldest(access.workspace.id, limit=9)
    assert (heading["workspace"], heading["chain"], heading["length"]) == ("acme", access.workspace.id, 5)
    assert [(each["id"], each["mac"], each["detail"]) for each in entries] == [
        (entry.id, entry.mac.hex(), entry.detail) for entry in stored
    ]
    assert [each["previousMac"] for each in entries] == ["", *(entry.mac.hex() for entry in stored[:-1])]
    assert (end["end"], end["entries"]) == (True, 5)
    assert exported.check(text.splitlines(), PEPPERS, {})[1:] == (5, None)


async def test_a_filtered_export_contains_what_matches_and_is_checked_too(access: Access, team: Team) -> None:
    text = await exported_lines(access, filter=EntryFilter(actor=team.owner.id))
    assert [json.loads(line)["position"] for line in text.splitlines()[1:-1]] == [1, 2, 4, 5]
    heading, count, fault = exported.check(text.splitlines(), PEPPERS, {})
    assert (heading.complete, count, fault) == (False, 4, None)
    assert check("".join(text.splitlines(keepends=True)[:2] + text.splitlines(keepends=True)[3:])) == ExportFault(
        3, 4, OUT_OF_PLACE
    )


async def test_the_csv_has_one_row_for_each_entry_and_the_same_filters(access: Access) -> None:
    rows = list(csv.reader(io.StringIO(await exported_lines(access, Format.CSV, EntryFilter(action="key.created")))))
    assert rows[0] == [*COLUMNS]
    assert [(row[0], row[5], json.loads(row[7])["name"]) for row in rows[1:]] == [
        ("1", "key.created", "naïve “quotes” \U0001f5dd"),
        ("5", "key.created", "Production server"),
    ]


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r", "＝"])
async def test_no_cell_of_the_csv_is_a_formula(team: Team, first: str) -> None:
    formula = f"{first}HYPERLINK(1)"
    actor = Actor.user(team.owner.id, formula, Request("203.0.113.9", formula, formula))
    await keys.suspend(actor, (await make_key(team)).key.id)
    text = await exported_lines(await seen(team.owner, team.slug), Format.CSV)
    cells = [cell for row in list(csv.reader(io.StringIO(text, newline="")))[1:] for cell in row]
    assert [cell for cell in cells if cell.startswith(first)] == []
    assert cells.count(f"'{formula}") == 3


async def test_an_export_is_for_those_who_may_read_the_log(team: Team) -> None:
    access = await seen(team.viewer, team.slug)
    assert len(await exported_lines(access)) > 0
    with pytest.raises(NotAllowed):
        await exported_lines(Access(Actor.user("usr_none", "Nobody"), access.workspace, None, access.now))


async def test_an_export_requires_a_recent_password_and_is_not_for_management_keys(team: Team) -> None:
    access = await seen(team.viewer, team.slug)
    long_ago = replace(team.viewer, authenticated_at=access.now - RECENT - 1)
    with pytest.raises(ConfirmationNeeded):
        audit.export(replace(access, actor=long_ago), Format.CSV)
    program = Actor(ActorKind.MANAGEMENT_KEY, "mgk_x", "CI", team.owner.id, team.workspace.id, frozenset(Scope))
    with pytest.raises(NotAllowed, match="management key cannot"):
        audit.export(replace(access, actor=program), Format.CSV)


async def test_an_export_larger_than_a_piece_is_complete(team: Team) -> None:
    made = await make_key(team)
    for _ in range(55):
        await keys.suspend(team.owner, made.key.id)
        await keys.resume(team.owner, made.key.id)
    access = await seen(team.owner, team.slug)
    pieces = [piece async for piece in audit.export(access, Format.JSON_LINES)]
    assert [len(piece.splitlines()) for piece in pieces] == [1, 50, 50, 11, 1]
    assert check("".join(pieces)) is None


def edited(old: str, new: str, line: int) -> Callable[[list[str]], list[str]]:
    def edit(lines: list[str]) -> list[str]:
        assert old in lines[line]
        return [*lines[:line], lines[line].replace(old, new), *lines[line + 1 :]]

    return edit


# Lines are numbered from 1, and the first one is the heading: entry 3 is on line 4.
CHANGES: dict[str, tuple[Callable[[list[str]], list[str]], ExportFault]] = {
    "an edited entry": (edited("key.resumed", "key.created", 3), ExportFault(4, 3, ALTERED)),
    "an edited MAC": (edited('"mac": "', '"mac": "00', 3), ExportFault(4, 3, ALTERED)),
    "an edited id of the line before": (edited("previousMac", "previousmac", 3), ExportFault(4, 3, ALTERED)),
    "a removed entry": (lambda lines: lines[:3] + lines[4:], ExportFault(4, 3, MISSING)),
    "a repeated entry": (lambda lines: lines[:4] + lines[3:], ExportFault(5, 3, OUT_OF_PLACE)),
    "two entries in the wrong order": (lambda lines: [*lines[:2], lines[3], lines[2], *lines[4:]], ExportFault(3, 2, MISSING)),
    "an added blank": (edited('", "at"', '",  "at"', 3), ExportFault(4, 3, OUT_OF_PLACE)),
    "no last line": (lambda lines: lines[:-1], ExportFault(6, 5, CUT)),
    "a cut tail": (lambda lines: lines[:4], ExportFault(4, 3, CUT)),
    "a tail that is cut before the last line": (
        lambda lines: [*lines[:4], lines[-1]],
        ExportFault(5, 4, "the last line was changed, or entries before it are missing, after entry 3"),
    ),
    "a line that is no JSON": (lambda lines: [*lines[:3], "{", *lines[4:]], ExportFault(4, 3, "this line cannot be read")),
    "a line after the last one": (lambda lines: [*lines, lines[-1]], ExportFault(8, None, "this line follows the last one")),
}


@pytest.mark.parametrize("what", CHANGES)
async def test_a_change_of_the_file_is_named_with_its_line_and_entry(text: str, what: str) -> None:
    change, fault = CHANGES[what]
    assert check("\n".join(change(text.splitlines())) + "\n") == fault


async def test_a_changed_heading_or_another_pepper_is_refused(text: str) -> None:
    for bad in (text.replace('"length": 5', '"length": 4', 1), text.partition("\n")[2], "", "{}\n", "[]"):
        with pytest.raises(StartRefused):
            check(bad)
    with pytest.raises(StartRefused, match="another pepper"):
        exported.check(text.splitlines(), (b"another pepper, of the usual length",), {})
    assert exported.check(text.splitlines(), (b"another pepper, of the usual length", *PEPPERS), {})[2] is None


async def test_an_export_of_a_log_that_was_cut_before_is_compared_with_the_checkpoints(access: Access, text: str) -> None:
    stored = await store.oldest(access.workspace.id, limit=9)
    assert check(text, **{access.workspace.id: {5: stored[4].mac}}) is None
    assert check(text, **{access.workspace.id: {3: b"x" * 32}}) == ExportFault(4, 3, NOT_AS_NOTED)


async def test_an_export_of_a_chain_that_was_altered_in_the_database_is_not_sound(access: Access) -> None:
    async with database.transaction():
        await database.fetch("UPDATE workspace SET audit_head = {} WHERE id = {}", b"x" * 32, access.workspace.id)
    assert check(await exported_lines(access)) == ExportFault(7, 5, NOT_THE_HEAD)
    async with database.transaction():
        await database.fetch("UPDATE audit_entry SET actor_name = 'Nobody' WHERE position = 2")
    assert check(await exported_lines(access)) == ExportFault(3, 2, ALTERED)


async def test_the_systems_entries_are_in_no_export(access: Access, text: str) -> None:
    await gateway_tokens.create(Actor.operator(), "edge")
    assert len(text.splitlines()) == len((await exported_lines(access)).splitlines()) == 7
    assert re.findall("gateway", await exported_lines(access)) == []
