"""Checks of the audit log: its chains, their checkpoints, and whether the database's role can change entries."""

from __future__ import annotations

from typing import Final

from app import clock, database, reconcile
from app.access.actor import Actor
from app.audit import checkpoints
from app.audit import service as audit
from app.database import roles
from app.doctor.finding import Finding, fail, ok, warn
from app.journal import file as journal

# The job writes one a day, and may be late.
_TOO_OLD: Final = 2 * clock.DAY


async def of_audit_log(actor: Actor) -> list[Finding]:
    """Raises Unavailable."""
    try:
        return [*await _chains(actor), *await _checkpoints(), *await _role()]
    except OSError as error:
        return [fail("audit", f"the checkpoints cannot be read: {error}")]


async def _chains(actor: Actor) -> list[Finding]:
    chains = await audit.checked(actor, await reconcile.noted_ends(journal.current()))
    broken = [fail("audit", f"the chain {chain} is broken at {fault}") for chain, fault in chains.items() if fault is not None]
    return broken or [ok("audit", f"{len(chains)} chains, all sound")]


async def _checkpoints() -> list[Finding]:
    book = checkpoints.current()
    found, now = await book.contents(), await database.now()
    findings = [fail("audit", f"line {line} of {book.path} is damaged, or was not written by Keydesk") for line in found.forged]
    if found.foreign:
        findings.append(warn("audit", f"{found.foreign} checkpoints were signed under another pepper and cannot be checked"))
    if found.newest is None or now - found.newest <= _TOO_OLD:
        return findings or [ok("audit", f"{book.path} has {found.valid} signed checkpoints")]
    if not await book.lacking():
        return findings or [ok("audit", f"{book.path} has {found.valid} signed checkpoints, and nothing has changed since")]
    return [*findings, warn("audit", f"the newest checkpoint in {book.path} is of {clock.rfc3339(found.newest)}: does a node run?")]


async def _role() -> list[Finding]:
    """SQLite has no roles: there only the checkpoints protect the log from those who can write the file."""
    if database.is_sqlite():
        return []
    role, ways = await roles.role(), await roles.ways_to_change("audit_entry")
    if not ways:
        return [ok("audit", f"the role {role} can add entries, and neither change nor remove them")]
    text = f"the role {role} can change or remove entries ({', '.join(ways)})"
    return [warn("audit", f"{text}: use a second role for migrations, see KEYDESK_MIGRATION_DATABASE_URL")]
