"""Usage by days beside usage by hours, kept by the database in the transaction that counts."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine.finder import engine_finder

ID = "2026-11-25T13:10:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "usage by days"

DAY = 86_400_000_000
COLUMNS = "key, day, permission, outcome, requests"
MERGE = (
    f"INSERT INTO usage_day ({COLUMNS}) VALUES (NEW.key, NEW.hour - NEW.hour % {DAY}, NEW.permission, NEW.outcome, {{more}})"
    " ON CONFLICT (key, day, permission, outcome) DO UPDATE SET requests = usage_day.requests + excluded.requests"
)
LESS = (
    f"UPDATE usage_day SET requests = requests - OLD.requests WHERE key = OLD.key AND day = OLD.hour - OLD.hour % {DAY}"
    " AND permission = OLD.permission AND outcome = OLD.outcome"
)
BOTH = (
    "CREATE TABLE usage_day (key VARCHAR(24) NOT NULL, day BIGINT NOT NULL, permission VARCHAR(120) NOT NULL,"
    " outcome VARCHAR(30) NOT NULL, requests BIGINT NOT NULL, PRIMARY KEY (key, day, permission, outcome)){without_rowid}",
    f"INSERT INTO usage_day ({COLUMNS}) SELECT key, hour - hour % {DAY}, permission, outcome, SUM(requests)"
    " FROM usage_hour GROUP BY 1, 2, 3, 4",
)
SQLITE = (
    f"CREATE TRIGGER usage_day_new AFTER INSERT ON usage_hour BEGIN {MERGE.format(more='NEW.requests')}; END",
    f"CREATE TRIGGER usage_day_more AFTER UPDATE ON usage_hour BEGIN {MERGE.format(more='NEW.requests - OLD.requests')}; END",
    f"CREATE TRIGGER usage_day_less AFTER DELETE ON usage_hour BEGIN {LESS};"
    f" DELETE FROM usage_day WHERE key = OLD.key AND day = OLD.hour - OLD.hour % {DAY} AND requests = 0; END",
)
POSTGRES = (
    "CREATE FUNCTION usage_day_add() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
    f" IF TG_OP = 'INSERT' THEN {MERGE.format(more='NEW.requests')};"
    f" ELSIF TG_OP = 'UPDATE' THEN {MERGE.format(more='NEW.requests - OLD.requests')};"
    f" ELSE {LESS}; DELETE FROM usage_day WHERE key = OLD.key AND day = OLD.hour - OLD.hour % {DAY} AND requests = 0;"
    " END IF; RETURN NULL; END $$",
    "CREATE TRIGGER usage_day_counts AFTER INSERT OR UPDATE OR DELETE ON usage_hour FOR EACH ROW EXECUTE FUNCTION usage_day_add()",
)


async def forwards():
    manager = MigrationManager(migration_id=ID, app_name="keydesk", description=DESCRIPTION)

    async def run():
        engine = engine_finder()
        sqlite = engine.engine_type == "sqlite"
        for statement in (*BOTH, *(SQLITE if sqlite else POSTGRES)):
            await engine.run_ddl(statement.replace("{without_rowid}", " WITHOUT ROWID" if sqlite else ""))

    manager.add_raw(run)
    return manager
