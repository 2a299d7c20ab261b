"""Rotations and callers: a run between two keys, open once at most for each of them, and who uses a key from where."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine.finder import engine_finder

ID = "2026-11-24T07:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "rotations, callers and jobs"

BOTH = (
    "ALTER TABLE api_key ADD COLUMN line_started_at BIGINT",
    "CREATE TABLE rotation (id VARCHAR(24){bytewise} PRIMARY KEY NOT NULL,"
    " workspace VARCHAR(24) NOT NULL REFERENCES workspace (id) ON DELETE RESTRICT,"
    " predecessor VARCHAR(24) NOT NULL REFERENCES api_key (id) ON DELETE RESTRICT,"
    " successor VARCHAR(24) NOT NULL REFERENCES api_key (id) ON DELETE RESTRICT,"
    " started_at BIGINT NOT NULL, started_by_kind VARCHAR(20) NOT NULL, started_by_id VARCHAR(24) NOT NULL,"
    " started_by_name VARCHAR(400) NOT NULL, deadline BIGINT NOT NULL, on_deadline VARCHAR(20) NOT NULL,"
    " quiet_period BIGINT NOT NULL, repeat_scope {bytes}, repeat_input {bytes}, ended_at BIGINT, ended_by_kind VARCHAR(20),"
    " ended_by_id VARCHAR(24), ended_by_name VARCHAR(400), outcome VARCHAR(20))",
    "CREATE UNIQUE INDEX rotation_open_predecessor ON rotation (predecessor) WHERE ended_at IS NULL",
    "CREATE UNIQUE INDEX rotation_open_successor ON rotation (successor) WHERE ended_at IS NULL",
    "CREATE INDEX rotation_open_deadline ON rotation (deadline) WHERE ended_at IS NULL",
    "CREATE INDEX rotation_predecessor ON rotation (predecessor)",
    "CREATE INDEX rotation_successor ON rotation (successor)",
    "CREATE INDEX rotation_workspace_started_at ON rotation (workspace, started_at)",
    "CREATE INDEX rotation_repeat_scope ON rotation (repeat_scope) WHERE repeat_scope IS NOT NULL",
    "CREATE TABLE rotation_dismissal (rotation VARCHAR(24) NOT NULL REFERENCES rotation (id) ON DELETE RESTRICT,"
    " user_agent VARCHAR(60) NOT NULL, at BIGINT NOT NULL, by_name VARCHAR(400) NOT NULL, PRIMARY KEY (rotation, user_agent))",
    "CREATE TABLE caller (key VARCHAR(24) NOT NULL, network VARCHAR(50) NOT NULL, user_agent VARCHAR(60) NOT NULL,"
    " permission VARCHAR(120) NOT NULL, id VARCHAR(24) NOT NULL, first_seen_at BIGINT NOT NULL, last_seen_at BIGINT NOT NULL,"
    " requests BIGINT NOT NULL, PRIMARY KEY (key, network, user_agent, permission)){without_rowid}",
    "CREATE INDEX caller_id ON caller (id)",
    "CREATE TABLE job (name VARCHAR(60) PRIMARY KEY NOT NULL, until BIGINT NOT NULL)",
)
# Column types and clauses that the two engines spell differently; ids sort by bytes on both.
SPELLED = {
    "sqlite": {"bytewise": "", "bytes": "BLOB", "without_rowid": " WITHOUT ROWID"},
    "postgres": {"bytewise": ' COLLATE "C"', "bytes": "BYTEA", "without_rowid": ""},
}


async def forwards():
    manager = MigrationManager(migration_id=ID, app_name="keydesk", description=DESCRIPTION)

    async def run():
        engine = engine_finder()
        for statement in BOTH:
            await engine.run_ddl(statement.format(**SPELLED[engine.engine_type]))

    manager.add_raw(run)
    return manager
