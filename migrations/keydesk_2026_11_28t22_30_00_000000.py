"""What was taken away and given back, the links to calendars among it, found in the audit log without reading all of it."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine.finder import engine_finder

ID = "2026-11-28T22:30:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "an index of what was taken away, links to calendars among it"

# Beside the one without them, which the version before goes on using.
STATEMENT = (
    "CREATE INDEX audit_entry_taken_away ON audit_entry (at) WHERE action IN ('calendar_link.made', 'calendar_link.withdrawn',"
    " 'gateway_token.revoked', 'key.resumed', 'key.suspended', 'management_key.revoked', 'member.joined', 'member.removed',"
    " 'member.role_changed', 'workspace.resumed', 'workspace.suspended')"
)


async def forwards():
    manager = MigrationManager(migration_id=ID, app_name="keydesk", description=DESCRIPTION)

    async def run():
        await engine_finder().run_ddl(STATEMENT)

    manager.add_raw(run)
    return manager
