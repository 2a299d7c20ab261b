"""The outbox: what is to be sent outside."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine.finder import engine_finder

ID = "2026-11-29T12:10:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "outbox"

BOTH = (
    "CREATE TABLE outbox (id VARCHAR(24){bytewise} PRIMARY KEY NOT NULL, kind VARCHAR(20) NOT NULL, workspace VARCHAR(24),"
    " content {bytes} NOT NULL, created_at BIGINT NOT NULL, due_at BIGINT, attempts INTEGER NOT NULL, done_at BIGINT)",
    "CREATE INDEX outbox_due ON outbox (kind, due_at) WHERE due_at IS NOT NULL",
    "CREATE INDEX outbox_done ON outbox (done_at) WHERE due_at IS NULL",
)
SPELLED = {
    "sqlite": {"bytewise": "", "bytes": "BLOB"},
    "postgres": {"bytewise": ' COLLATE "C"', "bytes": "BYTEA"},
}


async def forwards():
    manager = MigrationManager(migration_id=ID, app_name="keydesk", description=DESCRIPTION)

    async def run():
        engine = engine_finder()
        for statement in BOTH:
            await engine.run_ddl(statement.format(**SPELLED[engine.engine_type]))

    manager.add_raw(run)
    return manager
