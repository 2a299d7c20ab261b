"""Fingerprints of peppers in the database."""

from __future__ import annotations

from app import database
from app.peppers.pepper import version_of
from app.peppers.tables import PepperRow


async def versions() -> dict[bytes, int]:
    """Fingerprint → version of every pepper this database has known."""
    rows = await PepperRow.select(PepperRow.fingerprint, PepperRow.version).run()
    return {bytes(row["fingerprint"]): row["version"] for row in rows}


async def wrapping() -> int | None:
    """The version that was current at the last start with two peppers: it wraps the key of the system's audit chain."""
    rows = await database.fetch("SELECT audit_key FROM installation WHERE id = 1")
    key = bytes(rows[0]["audit_key"]) if rows else b""
    return version_of(key) if key else None


async def add(version: int, fingerprint: bytes) -> None:
    row = PepperRow(version=version, fingerprint=fingerprint, created_at=await database.now())
    await PepperRow.insert(row).run()
