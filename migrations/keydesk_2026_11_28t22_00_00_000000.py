"""The audit log of a workspace by action, by actor and by time, found without reading all of it."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine.finder import engine_finder

ID = "2026-11-28T22:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "indexes of the audit log"

STATEMENTS = (
    "CREATE INDEX audit_entry_action ON audit_entry (chain, action, position)",
    "CREATE INDEX audit_entry_actor ON audit_entry (chain, actor_id, position)",
    "CREATE INDEX audit_entry_at ON audit_entry (chain, at)",
)


async def forwards():
    manager = MigrationManager(migration_id=ID, app_name="keydesk", description=DESCRIPTION)

    async def run():
        for statement in STATEMENTS:
            await engine_finder().run_ddl(statement)

    manager.add_raw(run)
    return manager
