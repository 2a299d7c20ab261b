"""Imports keys that were issued by another product."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from app.cli.options import CommaSeparated
from app.cli.runner import OPERATOR, Result, columns, command
from app.keys import importing
from app.keys.import_columns import Source
from app.keys.import_file import Defaults, Line, read
from app.keys.importing import Outcome, State
from app.names import LONGEST_NAME, is_one_line

_SAID: Final = {State.NEW: "to be created", State.EXISTS: "there already"}


@command("import")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--workspace", "slug", required=True, metavar="SLUG", help="The workspace that is to own the keys.")
@click.option(
    "--from",
    "source",
    type=click.Choice([str(each) for each in Source]),
    default=str(Source.CSV),
    help="What FILE was exported from; csv by default.",
)
@click.option("--environment", default="", metavar="E", help="The environment of keys for which FILE names none.")
@click.option("--permissions", type=CommaSeparated(), default=(), help="The permissions of keys for which FILE names none.")
@click.option("--ignore-columns", "ignored", type=CommaSeparated(), default=(), help="Columns of FILE that are to have no effect.")
@click.option("--apply", "is_final", is_flag=True, help="Create the keys. Without it, only say what would be done.")
async def import_keys(
    file: Path,
    slug: str,
    source: str,
    environment: str,
    permissions: tuple[str, ...],
    ignored: tuple[str, ...],
    is_final: bool,
) -> Result:
    """Take over keys by the hashes of another product.

    FILE is CSV with a heading. First says, line by line, what is refused and why; with --apply creates the others. A key keeps
    its secret, works at once, and gets a keyed digest when it is first used. Repeated, nothing is created twice. Ends with 1 if
    a line is refused.
    """
    lines = _read(file, Source(source), Defaults(environment, permissions), ignored)
    if not is_final:
        return _result(await importing.preview(OPERATOR, slug, lines), is_final=False)
    return _result(await importing.apply(OPERATOR, slug, Source(source), lines), is_final=True)


def _read(file: Path, source: Source, defaults: Defaults, ignored: tuple[str, ...]) -> list[Line]:
    """All of it before anything is imported: a file that cannot be read to its end changes nothing."""
    with file.open(encoding="utf-8-sig", newline="") as text:
        return list(read(text, source, defaults, ignored))


def _result(outcomes: Sequence[Outcome], *, is_final: bool) -> Result:
    counts = Counter(each.state for each in outcomes)
    refused = [each for each in outcomes if each.state is State.REFUSED]
    listed = refused if is_final else outcomes
    lines = columns([(f"line {each.line}", _shown(each.name), each.reason or _SAID[each.state]) for each in listed])
    done = "created" if is_final else "to be created"
    summary = f"{counts[State.NEW]} {done}, {counts[State.EXISTS]} there already, {len(refused)} refused."
    data = {
        "applied": is_final,
        "new": counts[State.NEW],
        "existing": counts[State.EXISTS],
        "refused": len(refused),
        "lines": [
            {"line": each.line, "name": each.name, "state": str(each.state), "id": each.key_id, "reason": each.reason}
            for each in outcomes
        ],
    }
    ending = () if is_final else ("Nothing was changed. With --apply this is done.",)
    return Result(data, (*lines, summary, *ending), exit_code=1 if refused else 0)


def _shown(name: str) -> str:
    """The name of a refused line, which may be anything."""
    return name if is_one_line(name) and len(name) <= LONGEST_NAME else "…"
