"""Unusual use: recent refusals, keys with new use, what is usual for a key, alerts with ids, and what they were taught."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine.finder import engine_finder

from app import ids
from app.database import fetch

ID = "2026-11-29T13:35:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "alerts about use"

REFERENCE = "NOT NULL REFERENCES {table} (id) ON DELETE RESTRICT"
WORKSPACE = REFERENCE.format(table="workspace")
BOTH = (
    "CREATE TABLE key_refusal (key VARCHAR(24){bytewise} NOT NULL, slot BIGINT NOT NULL, permission VARCHAR(120) NOT NULL,"
    " outcome VARCHAR(30) NOT NULL, network VARCHAR(50) NOT NULL, requests BIGINT NOT NULL, first_at BIGINT NOT NULL,"
    " last_at BIGINT NOT NULL, PRIMARY KEY (key, slot, permission, outcome, network)){without_rowid}",
    "CREATE INDEX key_refusal_slot ON key_refusal (slot)",
    "CREATE TABLE key_watch (key VARCHAR(24){bytewise} PRIMARY KEY NOT NULL, fresh SMALLINT NOT NULL, evaluated_at BIGINT NOT NULL)"
    "{without_rowid}",
    f"CREATE TABLE key_baseline (key VARCHAR(24){{bytewise}} PRIMARY KEY {REFERENCE.format(table='api_key')},"
    f" workspace VARCHAR(24) {WORKSPACE}, learned_at BIGINT NOT NULL, learned TEXT NOT NULL)",
    "CREATE INDEX key_baseline_workspace ON key_baseline (workspace)",
    f"CREATE TABLE alert (id VARCHAR(24){{bytewise}} PRIMARY KEY NOT NULL, workspace VARCHAR(24) {WORKSPACE},"
    f" key VARCHAR(24){{bytewise}} {REFERENCE.format(table='api_key')}, kind VARCHAR(30) NOT NULL, days INTEGER NOT NULL,"
    " about BIGINT NOT NULL, at BIGINT NOT NULL, resolved_at BIGINT, last_seen_at BIGINT NOT NULL DEFAULT 0,"
    " requests BIGINT NOT NULL DEFAULT 1, evidence TEXT NOT NULL DEFAULT '{{}}', baseline TEXT NOT NULL DEFAULT '{{}}',"
    " parts TEXT NOT NULL DEFAULT '{{}}', subjects TEXT NOT NULL DEFAULT '[]', resolution VARCHAR(20), resolved_by_kind VARCHAR(20),"
    " resolved_by_id VARCHAR(24), resolved_by_name VARCHAR(400), suspended_at BIGINT)",
    "CREATE UNIQUE INDEX alert_once ON alert (key, kind, days, about)",
    "CREATE INDEX alert_workspace_at ON alert (workspace, at)",
    "CREATE INDEX alert_open ON alert (workspace) WHERE resolved_at IS NULL",
    f"CREATE TABLE alert_expectation (workspace VARCHAR(24) {WORKSPACE}, key VARCHAR(24) NOT NULL, kind VARCHAR(30) NOT NULL,"
    " value VARCHAR(120) NOT NULL, at BIGINT NOT NULL, PRIMARY KEY (workspace, key, kind, value))",
)
# Column types that the two engines spell differently; ids sort by bytes on both.
SPELLED = {
    "sqlite": {"bytewise": "", "without_rowid": " WITHOUT ROWID"},
    "postgres": {"bytewise": ' COLLATE "C"', "without_rowid": ""},
}


async def forwards():
    manager = MigrationManager(migration_id=ID, app_name="keydesk", description=DESCRIPTION)

    async def run():
        engine = engine_finder()
        for statement in BOTH:
            await engine.run_ddl(statement.format(**SPELLED[engine.engine_type]))
        # The table `notice` stays for the version before, which goes on using it.
        for row in await fetch("SELECT key, kind, days, about, workspace, at, resolved_at FROM notice"):
            await fetch(
                "INSERT INTO alert (id, workspace, key, kind, days, about, at, resolved_at, last_seen_at)"
                " VALUES ({}, {}, {}, {}, {}, {}, {}, {}, {})",
                *(ids.new("alr"), row["workspace"], row["key"], row["kind"], row["days"], row["about"], row["at"]),
                *(row["resolved_at"], row["at"]),
            )

    manager.add_raw(run)
    return manager
