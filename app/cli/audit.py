"""Verifies the audit log's chains from the first entry to the head, or an export of one, and writes checkpoints."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import click

from app import reconcile
from app.audit import checkpoints, exported
from app.audit import service as audit
from app.audit.checking import Fault
from app.audit.exported import ExportFault, Heading
from app.cli.runner import OPERATOR, Result, columns, command, emit, opened, settings, with_json
from app.journal import file as journal
from app.peppers import service as peppers
from app.peppers.pepper import Pepper
from app.settings import Settings
from app.tenancy import store as workspace_store
from app.tenancy.service import SYSTEM_CHAIN


@with_json
@click.command("verify")
@click.option("--after-restore", is_flag=True, help="An older copy of the database was put back: take its ends as they are.")
@click.option(
    "--file", type=click.Path(path_type=Path, dir_okay=False), help="Check this export (JSON lines) instead, without the database."
)
def verify(as_json: bool, after_restore: bool, file: Path | None) -> None:
    """Check that no entry was changed, added, moved or cut off.

    One line for each workspace and one for what belongs to none; exit code 1 if a chain is broken, with the first entry that
    is at fault. The ends are compared with the checkpoints and with the revocation journal, outside the database. How long the
    sound ones are is written into the journal: so an end that is cut off later is noticed.
    """
    if file is None:
        emit(asyncio.run(opened(lambda: _verify(after_restore), make=False)), as_json)
        return
    if after_restore:
        raise click.UsageError("--after-restore is about the database, and --file about an export.")
    emit(_verify_file(settings(), file), as_json)


@command("checkpoint")
async def checkpoint() -> Result:
    """Write a signed checkpoint now.

    The lengths and ends of all chains, into a file outside the database. A server does it once a day, and when it stops.
    """
    book = checkpoints.current()
    chains = await book.write()
    text = f"{chains} chains" if chains else "nothing to add: no chain has grown since the last checkpoint"
    return Result({"file": str(book.path), "chains": chains}, (f"{book.path}: {text}.",))


audit_group = click.Group("audit", help="The audit log.", commands=[verify, checkpoint])


async def _verify(after_restore: bool) -> Result:
    book = journal.current()
    if after_restore:
        await reconcile.begin_anew(book)
    checked = await audit.checked(OPERATOR, await reconcile.noted_ends(book))
    await reconcile.anchor(book, [chain for chain, fault in checked.items() if fault is None])
    forged = [
        f"{checkpoints.current().path}: line {line} is damaged, or was not written by Keydesk"
        for line in (await checkpoints.current().contents()).forged
    ]
    found = [await _shown(chain, fault) for chain, fault in checked.items()]
    lines = columns(
        [(chain["workspace"] or chain["chain"], _verdict(fault)) for chain, fault in zip(found, checked.values(), strict=True)]
    )
    return Result(found, lines, tuple(forged), exit_code=0 if all(chain["sound"] for chain in found) and not forged else 1)


async def _shown(chain: str, fault: Fault | None) -> dict[str, Any]:
    workspace = None if chain == SYSTEM_CHAIN else await workspace_store.find(chain)
    return {
        "chain": chain,
        "workspace": workspace.slug if workspace else None,
        "sound": fault is None,
        "firstBroken": fault and fault.position,
        "entry": fault and fault.entry_id,
        "fault": fault and fault.what,
    }


def _verdict(fault: Fault | None) -> str:
    return "sound" if fault is None else f"broken at {fault}"


def _verify_file(chosen: Settings, file: Path) -> Result:
    values = peppers.given(chosen)
    ends = checkpoints.read(chosen.checkpoints_path, [Pepper(0, value) for value in values]).ends
    with file.open(encoding="utf-8", errors="surrogateescape", newline="\n") as lines:
        heading, count, fault = exported.check(lines, values, ends)
    return _result_of_file(heading, count, fault)


def _result_of_file(heading: Heading, count: int, fault: ExportFault | None) -> Result:
    what = "all entries" if heading.complete else "entries selected by a filter"
    verdict = f"sound, {count} of {heading.length} entries ({what})" if fault is None else f"broken at {fault}"
    data = {
        "chain": heading.chain,
        "workspace": heading.workspace,
        "sound": fault is None,
        "complete": heading.complete,
        "entries": count,
        "line": fault and fault.line,
        "firstBroken": fault and fault.position,
        "fault": fault and fault.what,
    }
    return Result(data, columns([(heading.workspace, verdict)]), exit_code=0 if fault is None else 1)
