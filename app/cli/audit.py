"""The audit log's chains, checked from their first entry to their head."""

from __future__ import annotations

from typing import Any

import click

from app.audit import service as audit
from app.cli import words
from app.cli.frame import OPERATOR, Said, columns, command
from app.workspaces.service import SYSTEM_CHAIN


@command("verify")
async def verify() -> Said:
    """Check that no entry was changed, added, moved or cut off.

    One line for each workspace and one for what belongs to none; exit code 1 if a chain is broken.
    """
    found = [await _shown(chain, broken) for chain, broken in (await audit.checked(OPERATOR)).items()]
    lines = columns([(chain["workspace"] or chain["chain"], _verdict(chain["firstBroken"])) for chain in found])
    return Said(found, lines, exit_code=0 if all(chain["sound"] for chain in found) else 1)


audit_group = click.Group("audit", help="The audit log.", commands=[verify])


async def _shown(chain: str, broken: int | None) -> dict[str, Any]:
    slug = None if chain == SYSTEM_CHAIN else (await words.workspace_of(chain)).slug
    return {"chain": chain, "workspace": slug, "sound": broken is None, "firstBroken": broken}


def _verdict(broken: int | None) -> str:
    return "sound" if broken is None else f"broken at entry {broken}"
