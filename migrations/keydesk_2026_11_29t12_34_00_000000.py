"""Keys have a second digest, by which scanners ask about a leaked secret without sending it."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine.finder import engine_finder

ID = "2026-11-29T12:34:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "leak digests"

# Null for keys that exist already: their secrets are not known.
STATEMENTS = (
    "ALTER TABLE api_key ADD COLUMN leak_digest {bytes}",
    "CREATE INDEX api_key_leak_digest ON api_key (leak_digest) WHERE leak_digest IS NOT NULL",
)
BYTES = {"sqlite": "BLOB", "postgres": "BYTEA"}


async def forwards():
    manager = MigrationManager(migration_id=ID, app_name="keydesk", description=DESCRIPTION)

    async def run():
        engine = engine_finder()
        for statement in STATEMENTS:
            await engine.run_ddl(statement.format(bytes=BYTES[engine.engine_type]))

    manager.add_raw(run)
    return manager
