"""The audit log's chains, checked from their first entry to their head."""

from __future__ import annotations

from typing import Any

import click

from app import reconcile
from app.audit import service as audit
from app.cli.frame import OPERATOR, Said, columns, command
from app.journal import file as journal
from app.tenancy import store as workspace_store
from app.tenancy.service import SYSTEM_CHAIN


@command("verify")
@click.option("--after-restore", is_flag=True, help="An older copy of the database was put back: take its ends as they are.")
async def verify(after_restore: bool) -> Said:
    """Check that no entry was changed, added, moved or cut off.

    One line for each workspace and one for what belongs to none; exit code 1 if a chain is broken. How long the sound ones
    are is written into the revocation journal, outside the database: so an end that is cut off later is noticed.
    """
    book = journal.current()
    if after_restore:
        await book.begin_anew()
    checked = await audit.checked(OPERATOR, await book.anchors())
    await reconcile.anchor(book, [chain for chain, broken in checked.items() if broken is None])
    found = [await _shown(chain, broken) for chain, broken in checked.items()]
    lines = columns([(chain["workspace"] or chain["chain"], _verdict(chain["firstBroken"])) for chain in found])
    return Said(found, lines, exit_code=0 if all(chain["sound"] for chain in found) else 1)


audit_group = click.Group("audit", help="The audit log.", commands=[verify])


async def _shown(chain: str, broken: int | None) -> dict[str, Any]:
    place = None if chain == SYSTEM_CHAIN else await workspace_store.find(chain)
    slug = place.slug if place else None
    return {"chain": chain, "workspace": slug, "sound": broken is None, "firstBroken": broken}


def _verdict(broken: int | None) -> str:
    return "sound" if broken is None else f"broken at entry {broken}"
