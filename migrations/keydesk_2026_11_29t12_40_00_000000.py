"""Usage of whole workspaces on days that are closed: read instead of the days of hundreds of keys."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine.finder import engine_finder

ID = "2026-11-29T12:40:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "usage of workspaces by closed days"

DAY = 86_400_000_000
TABLES = (
    # `what` is a workspace, whose days before `before` are in workspace_day, or `hours`: those before it are folded into days.
    "CREATE TABLE usage_closed (what VARCHAR(24) PRIMARY KEY, before BIGINT NOT NULL)",
    "CREATE TABLE workspace_day (workspace VARCHAR(24) NOT NULL, day BIGINT NOT NULL, permission VARCHAR(120) NOT NULL,"
    " outcome VARCHAR(30) NOT NULL, requests BIGINT NOT NULL, PRIMARY KEY (workspace, day, permission, outcome)){without_rowid}",
)
# A change of a closed day, which is rare, changes its workspace's day too. Days are closed when they are more than a week old, so
# that for a request of the last five days, as nearly all are, nothing is looked up.
RECENT = 5 * DAY
CLOSED = "FROM api_key k JOIN usage_closed c ON c.what = k.workspace WHERE k.id = {row}.key AND {day} < c.before"
LATE = (
    "INSERT INTO workspace_day (workspace, day, permission, outcome, requests)"
    f" SELECT k.workspace, {{day}}, {{row}}.permission, {{row}}.outcome, {{more}} {CLOSED}"
    " ON CONFLICT (workspace, day, permission, outcome) DO UPDATE SET requests = workspace_day.requests + excluded.requests"
)
OF_DAY = {"row": "NEW", "day": "NEW.day"}
SQLITE = tuple(
    f"CREATE TRIGGER {name} AFTER {event} ON usage_day WHEN NEW.day < strftime('%s', 'now') * 1000000 - {RECENT}"
    f" AND EXISTS (SELECT 1 {CLOSED.format(**OF_DAY)})"
    f" BEGIN {LATE.format(**OF_DAY, more=more)}; END"
    for name, event, more in (
        ("workspace_day_new", "INSERT", "NEW.requests"),
        ("workspace_day_more", "UPDATE", "NEW.requests - OLD.requests"),
    )
)
MERGE = (
    "INSERT INTO usage_day (key, day, permission, outcome, requests)"
    f" VALUES (NEW.key, NEW.hour - NEW.hour % {DAY}, NEW.permission, NEW.outcome, {{more}})"
    " ON CONFLICT (key, day, permission, outcome) DO UPDATE SET requests = usage_day.requests + excluded.requests"
)
LESS = (
    f"UPDATE usage_day SET requests = requests - OLD.requests WHERE key = OLD.key AND day = OLD.hour - OLD.hour % {DAY}"
    " AND permission = OLD.permission AND outcome = OLD.outcome"
)


def late(row, more):
    day = f"{row}.hour - {row}.hour % {DAY}"
    old = f"{row}.hour < (extract(epoch FROM clock_timestamp()) * 1000000)::bigint - {RECENT}"
    return f"IF {old} THEN {LATE.format(row=row, day=day, more=more)}; END IF"


# The workspace's day is looked at after the key's day was locked: closing locks the days, and then sees or is seen.
POSTGRES = (
    "CREATE OR REPLACE FUNCTION usage_day_add() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
    # Set for a transaction that moves counts between the hours of a day, which changes no day.
    " IF current_setting('keydesk.days_unchanged', true) = 'yes' THEN RETURN NULL; END IF;"
    f" IF TG_OP = 'INSERT' THEN {MERGE.format(more='NEW.requests')}; {late('NEW', 'NEW.requests')};"
    f" ELSIF TG_OP = 'UPDATE' THEN {MERGE.format(more='NEW.requests - OLD.requests')};"
    f" {late('NEW', 'NEW.requests - OLD.requests')};"
    f" ELSE {LESS}; DELETE FROM usage_day WHERE key = OLD.key AND day = OLD.hour - OLD.hour % {DAY} AND requests = 0;"
    f" {late('OLD', '-OLD.requests')};"
    " END IF; RETURN NULL; END $$",
)


async def forwards():
    manager = MigrationManager(migration_id=ID, app_name="keydesk", description=DESCRIPTION)

    async def run():
        engine = engine_finder()
        sqlite = engine.engine_type == "sqlite"
        for statement in (*TABLES, *(SQLITE if sqlite else POSTGRES)):
            await engine.run_ddl(statement.replace("{without_rowid}", " WITHOUT ROWID" if sqlite else ""))

    manager.add_raw(run)
    return manager
