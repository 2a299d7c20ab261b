"""Who is responsible for an API key: at first the one who created it."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine.finder import engine_finder

ID = "2026-11-30T04:55:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "api key owner"


async def forwards():
    manager = MigrationManager(migration_id=ID, app_name="keydesk", description=DESCRIPTION)

    async def run():
        await engine_finder().run_ddl("ALTER TABLE api_key ADD COLUMN owner VARCHAR(24)")
        await engine_finder().run_ddl("UPDATE api_key SET owner = created_by_id WHERE created_by_kind = 'USER'")
        await engine_finder().run_ddl(
            "UPDATE api_key SET owner = (SELECT maker FROM management_key WHERE management_key.id = created_by_id)"
            " WHERE created_by_kind = 'MANAGEMENT_KEY'"
        )

    manager.add_raw(run)
    return manager
