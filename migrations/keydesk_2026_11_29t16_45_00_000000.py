"""The log of each key's requests, and whether a workspace keeps one."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine.finder import engine_finder

ID = "2026-11-29T16:45:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "request log"

STATEMENTS = (
    "ALTER TABLE workspace ADD COLUMN logs_requests SMALLINT NOT NULL DEFAULT 1",
    "CREATE TABLE logged_request (id VARCHAR(24){bytewise} PRIMARY KEY NOT NULL, key VARCHAR(24){bytewise} NOT NULL,"
    " at BIGINT NOT NULL, accepted SMALLINT NOT NULL, outcome VARCHAR(30) NOT NULL, permission VARCHAR(120) NOT NULL,"
    " network VARCHAR(50) NOT NULL, user_agent VARCHAR(60) NOT NULL, rule TEXT)",
    "CREATE INDEX logged_request_key ON logged_request (key, accepted, at)",
    "CREATE INDEX logged_request_at ON logged_request (at)",
    # What is deleted by its age.
    "CREATE INDEX logged_request_refused ON logged_request (at) WHERE accepted = 0",
)
# Ids sort by bytes on both databases.
BYTEWISE = {"sqlite": "", "postgres": ' COLLATE "C"'}


async def forwards():
    manager = MigrationManager(migration_id=ID, app_name="keydesk", description=DESCRIPTION)

    async def run():
        engine = engine_finder()
        for statement in STATEMENTS:
            await engine.run_ddl(statement.format(bytewise=BYTEWISE[engine.engine_type]))

    manager.add_raw(run)
    return manager
