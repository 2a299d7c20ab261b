"""Fingerprints of peppers in the database."""

from __future__ import annotations

from app import database
from app.peppers.tables import PepperRow


async def versions() -> dict[bytes, int]:
    """Fingerprint → version of every pepper this database has known."""
    rows = await PepperRow.select(PepperRow.fingerprint, PepperRow.version).run()
    return {bytes(row["fingerprint"]): row["version"] for row in rows}


async def add(version: int, fingerprint: bytes) -> None:
    row = PepperRow(version=version, fingerprint=fingerprint, created_at=await database.now())
    await PepperRow.insert(row).run()
