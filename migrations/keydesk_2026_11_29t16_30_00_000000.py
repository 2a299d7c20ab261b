"""Which rules suspend keys by themselves, and why an alert did not."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine.finder import engine_finder

ID = "2026-11-29T16:30:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "automatic suspension"

STATEMENTS = (
    "ALTER TABLE alert ADD COLUMN suspension_withheld VARCHAR(20)",
    "CREATE INDEX alert_suspended ON alert (workspace, suspended_at) WHERE suspended_at IS NOT NULL",
    "CREATE TABLE automatic_suspension (workspace VARCHAR(24) PRIMARY KEY NOT NULL REFERENCES workspace (id) ON DELETE RESTRICT,"
    " kinds TEXT NOT NULL, most_a_day SMALLINT NOT NULL)",
)


async def forwards():
    manager = MigrationManager(migration_id=ID, app_name="keydesk", description=DESCRIPTION)

    async def run():
        for statement in STATEMENTS:
            await engine_finder().run_ddl(statement)

    manager.add_raw(run)
    return manager
