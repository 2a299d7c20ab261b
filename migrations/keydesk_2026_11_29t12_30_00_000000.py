"""Webhooks, and what was sent to them."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine.finder import engine_finder

ID = "2026-11-29T12:30:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "webhooks"

BOTH = (
    "ALTER TABLE workspace ADD COLUMN webhooks SMALLINT NOT NULL DEFAULT 0",
    "CREATE TABLE webhook (id VARCHAR(24){bytewise} PRIMARY KEY NOT NULL,"
    " workspace VARCHAR(24) NOT NULL REFERENCES workspace (id) ON DELETE RESTRICT, name VARCHAR(400) NOT NULL,"
    " kind VARCHAR(20) NOT NULL, sealed {bytes} NOT NULL, events TEXT NOT NULL, created_at BIGINT NOT NULL,"
    " created_by_name VARCHAR(400) NOT NULL, previous_until BIGINT, disabled_at BIGINT, disabled_because VARCHAR(20),"
    " failing_since BIGINT)",
    "CREATE INDEX webhook_workspace ON webhook (workspace)",
    "CREATE TABLE webhook_delivery (id VARCHAR(24){bytewise} PRIMARY KEY NOT NULL,"
    " webhook VARCHAR(24) NOT NULL REFERENCES webhook (id) ON DELETE CASCADE, message VARCHAR(24) NOT NULL,"
    " type VARCHAR(60) NOT NULL, body TEXT NOT NULL, created_at BIGINT NOT NULL, due_at BIGINT, state VARCHAR(20) NOT NULL,"
    " attempts INTEGER NOT NULL, retry INTEGER NOT NULL, attempted_at BIGINT, status_code INTEGER, duration_ms INTEGER,"
    " response TEXT, failure TEXT, finished_at BIGINT, UNIQUE (webhook, message))",
    "CREATE INDEX webhook_delivery_due ON webhook_delivery (due_at) WHERE due_at IS NOT NULL",
    "CREATE INDEX webhook_delivery_newest ON webhook_delivery (webhook, created_at, id)",
    "CREATE INDEX webhook_delivery_finished ON webhook_delivery (finished_at) WHERE due_at IS NULL",
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
