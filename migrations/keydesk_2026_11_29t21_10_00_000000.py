"""What people write about an API key, and its labels."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine.finder import engine_finder

ID = "2026-11-29T21:10:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "api key description and labels"


async def forwards():
    manager = MigrationManager(migration_id=ID, app_name="keydesk", description=DESCRIPTION)

    async def run():
        await engine_finder().run_ddl("ALTER TABLE api_key ADD COLUMN description TEXT")
        await engine_finder().run_ddl("ALTER TABLE api_key ADD COLUMN labels TEXT NOT NULL DEFAULT ''")

    manager.add_raw(run)
    return manager
