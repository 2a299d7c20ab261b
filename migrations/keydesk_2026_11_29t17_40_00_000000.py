"""The networks from which a management key may be used."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine.finder import engine_finder

ID = "2026-11-29T17:40:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "management key allowed ips"


async def forwards():
    manager = MigrationManager(migration_id=ID, app_name="keydesk", description=DESCRIPTION)

    async def run():
        await engine_finder().run_ddl("ALTER TABLE management_key ADD COLUMN allowed_ips TEXT NOT NULL DEFAULT ''")

    manager.add_raw(run)
    return manager
