"""When a workspace was deleted."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine.finder import engine_finder

ID = "2026-11-29T22:05:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "workspace deleted at"


async def forwards():
    manager = MigrationManager(migration_id=ID, app_name="keydesk", description=DESCRIPTION)

    async def run():
        await engine_finder().run_ddl("ALTER TABLE workspace ADD COLUMN deleted_at BIGINT")

    manager.add_raw(run)
    return manager
