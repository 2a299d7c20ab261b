"""What Piccolo cannot express: primary keys of several columns, unique pairs, and names in one order on both engines."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine.finder import engine_finder

ID = "2026-11-23T20:31:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "composite keys"

BOTH = (
    "DROP TABLE usage_hour",
    "CREATE TABLE usage_hour (key VARCHAR(24) NOT NULL, hour BIGINT NOT NULL, permission VARCHAR(120) NOT NULL,"
    " outcome VARCHAR(30) NOT NULL, requests BIGINT NOT NULL, PRIMARY KEY (key, hour, permission, outcome)){without_rowid}",
    "DROP TABLE usage_batch",
    "CREATE TABLE usage_batch (gateway VARCHAR(24) NOT NULL, batch VARCHAR(40) NOT NULL, answer TEXT NOT NULL,"
    " received_at BIGINT NOT NULL, PRIMARY KEY (gateway, batch))",
    "CREATE INDEX usage_batch_received_at ON usage_batch (received_at)",
    "CREATE UNIQUE INDEX member_workspace_account ON member (workspace, account)",
    "CREATE UNIQUE INDEX audit_entry_chain_position ON audit_entry (chain, position)",
    "CREATE INDEX audit_entry_target ON audit_entry (target, position)",
)
# Names sort by bytes, as SQLite does it; a server's locale would put the pages of a list in another order.
POSTGRES = (
    'ALTER TABLE api_key ALTER COLUMN name_key TYPE VARCHAR(400) COLLATE "C"',
    'ALTER TABLE api_key ALTER COLUMN id TYPE VARCHAR(24) COLLATE "C"',
    'ALTER TABLE api_key ALTER COLUMN prefix TYPE VARCHAR(24) COLLATE "C"',
)


async def forwards():
    manager = MigrationManager(migration_id=ID, app_name="keydesk", description=DESCRIPTION)

    async def run():
        engine = engine_finder()
        sqlite = engine.engine_type == "sqlite"
        for statement in BOTH:
            await engine.run_ddl(statement.replace("{without_rowid}", " WITHOUT ROWID" if sqlite else ""))
        for statement in () if sqlite else POSTGRES:
            await engine.run_ddl(statement)

    manager.add_raw(run)
    return manager
