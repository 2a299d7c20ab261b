"""Notices, each told once for ever, and the link of a workspace's calendar."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine.finder import engine_finder

ID = "2026-11-24T07:30:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "notices and calendar links"

BOTH = (
    "CREATE TABLE notice (key VARCHAR(24){bytewise} NOT NULL REFERENCES api_key (id) ON DELETE RESTRICT, kind VARCHAR(20) NOT NULL,"
    " days INTEGER NOT NULL, about BIGINT NOT NULL,"
    " workspace VARCHAR(24) NOT NULL REFERENCES workspace (id) ON DELETE RESTRICT, at BIGINT NOT NULL, resolved_at BIGINT,"
    " PRIMARY KEY (key, kind, days, about))",
    "CREATE INDEX notice_workspace_at ON notice (workspace, at)",
    "CREATE INDEX notice_open ON notice (workspace) WHERE resolved_at IS NULL",
    "CREATE TABLE calendar_link (workspace VARCHAR(24) PRIMARY KEY NOT NULL REFERENCES workspace (id) ON DELETE RESTRICT,"
    " digest {bytes} NOT NULL UNIQUE, created_at BIGINT NOT NULL, created_by VARCHAR(24) NOT NULL,"
    " created_by_name VARCHAR(400) NOT NULL)",
)
# Column types that the two engines spell differently; ids sort by bytes on both.
SPELLED = {"sqlite": {"bytewise": "", "bytes": "BLOB"}, "postgres": {"bytewise": ' COLLATE "C"', "bytes": "BYTEA"}}


async def forwards():
    manager = MigrationManager(migration_id=ID, app_name="keydesk", description=DESCRIPTION)

    async def run():
        engine = engine_finder()
        for statement in BOTH:
            await engine.run_ddl(statement.format(**SPELLED[engine.engine_type]))

    manager.add_raw(run)
    return manager
