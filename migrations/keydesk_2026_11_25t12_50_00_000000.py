"""What was taken away and given back, found in the audit log without reading all of it."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine.finder import engine_finder

ID = "2026-11-25T12:50:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "an index of what was taken away"

STATEMENT = (
    "CREATE INDEX audit_entry_taken ON audit_entry (at) WHERE action IN ('gateway_token.revoked', 'key.resumed', 'key.suspended',"
    " 'management_key.revoked', 'member.joined', 'member.removed', 'member.role_changed', 'workspace.resumed',"
    " 'workspace.suspended')"
)


async def forwards():
    manager = MigrationManager(migration_id=ID, app_name="keydesk", description=DESCRIPTION)

    async def run():
        await engine_finder().run_ddl(STATEMENT)

    manager.add_raw(run)
    return manager
