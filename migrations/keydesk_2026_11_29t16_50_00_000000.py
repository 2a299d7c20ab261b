"""Which alerts a member gets by mail, and those that wait for a member's daily digest."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine.finder import engine_finder

ID = "2026-11-29T16:50:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "alert mail"

MEMBER = "member VARCHAR(24) {key}NOT NULL REFERENCES member (id) ON DELETE CASCADE"
STATEMENTS = (
    f"CREATE TABLE alert_mail ({MEMBER.format(key='PRIMARY KEY ')}, choices TEXT NOT NULL, digest_hour SMALLINT NOT NULL,"
    " digested_at BIGINT)",
    f"CREATE TABLE alert_digest ({MEMBER.format(key='')}, alert VARCHAR(24) NOT NULL REFERENCES alert (id) ON DELETE CASCADE,"
    " due_at BIGINT NOT NULL, PRIMARY KEY (member, alert))",
    "CREATE INDEX alert_digest_due ON alert_digest (due_at)",
    "CREATE INDEX alert_digest_alert ON alert_digest (alert)",
)


async def forwards():
    manager = MigrationManager(migration_id=ID, app_name="keydesk", description=DESCRIPTION)

    async def run():
        for statement in STATEMENTS:
            await engine_finder().run_ddl(statement)

    manager.add_raw(run)
    return manager
