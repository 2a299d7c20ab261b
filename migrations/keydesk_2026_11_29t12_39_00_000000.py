"""Confirmations in the security checklist, visits to pages that show usage, and keys that were refused in another environment."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine.finder import engine_finder

ID = "2026-11-29T12:39:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "security checklist"

BOTH = (
    "CREATE TABLE checklist_attestation (workspace VARCHAR(24) NOT NULL REFERENCES workspace (id) ON DELETE RESTRICT,"
    " item VARCHAR(40) NOT NULL, at BIGINT NOT NULL, by_kind VARCHAR(20) NOT NULL, by_id VARCHAR(24) NOT NULL,"
    " by_name VARCHAR(400) NOT NULL, runbook_url TEXT, PRIMARY KEY (workspace, item))",
    "CREATE TABLE usage_visit (workspace VARCHAR(24) NOT NULL REFERENCES workspace (id) ON DELETE RESTRICT,"
    " account VARCHAR(24) NOT NULL REFERENCES account (id) ON DELETE RESTRICT, at BIGINT NOT NULL,"
    " PRIMARY KEY (workspace, account))",
    # Few rows, and none of the columns changes when a day's requests are counted.
    "CREATE INDEX usage_day_elsewhere ON usage_day (key, day) WHERE outcome = 'ENVIRONMENT_NOT_ALLOWED'",
)


async def forwards():
    manager = MigrationManager(migration_id=ID, app_name="keydesk", description=DESCRIPTION)

    async def run():
        engine = engine_finder()
        for statement in BOTH:
            await engine.run_ddl(statement)

    manager.add_raw(run)
    return manager
