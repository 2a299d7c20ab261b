"""Keys that were issued elsewhere and imported by their hash."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine.finder import engine_finder

ID = "2026-11-29T21:37:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "imported keys"

STATEMENT = (
    "CREATE TABLE imported_key (key VARCHAR(24) PRIMARY KEY NOT NULL REFERENCES api_key (id) ON DELETE RESTRICT,"
    " source VARCHAR(40) NOT NULL, external_id VARCHAR(200) NOT NULL, algorithm VARCHAR(10), imported_at BIGINT NOT NULL)"
)


async def forwards():
    manager = MigrationManager(migration_id=ID, app_name="keydesk", description=DESCRIPTION)

    async def run():
        await engine_finder().run_ddl(STATEMENT)

    manager.add_raw(run)
    return manager
