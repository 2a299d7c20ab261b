"""Operator keys, with which programs of the operator manage workspaces."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine.finder import engine_finder

ID = "2026-11-29T21:40:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "operator keys"

TABLE = (
    "CREATE TABLE operator_key (id VARCHAR(24) PRIMARY KEY NOT NULL, name VARCHAR(200) NOT NULL, prefix VARCHAR(24) NOT NULL,"
    " digest {bytes} NOT NULL UNIQUE, pepper_version INTEGER NOT NULL, scopes TEXT NOT NULL, allowed_ips TEXT NOT NULL,"
    " created_at BIGINT NOT NULL, expires_at BIGINT NOT NULL, revoked_at BIGINT, last_used_at BIGINT)"
)


async def forwards():
    manager = MigrationManager(migration_id=ID, app_name="keydesk", description=DESCRIPTION)

    async def run():
        engine = engine_finder()
        await engine.run_ddl(TABLE.format(bytes="BLOB" if engine.engine_type == "sqlite" else "BYTEA"))

    manager.add_raw(run)
    return manager
