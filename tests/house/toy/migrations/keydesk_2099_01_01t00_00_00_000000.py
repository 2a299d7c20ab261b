"""Folders."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine.finder import engine_finder

ID = "2099-01-01T00:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "folders"

STATEMENT = (
    "CREATE TABLE folder (id VARCHAR(24) PRIMARY KEY, workspace VARCHAR(24) NOT NULL REFERENCES workspace (id),"
    " name VARCHAR(100) NOT NULL, created_at BIGINT NOT NULL)"
)


async def forwards():
    manager = MigrationManager(migration_id=ID, app_name="keydesk", description=DESCRIPTION)

    async def run():
        await engine_finder().run_ddl(STATEMENT)

    manager.add_raw(run)
    return manager
