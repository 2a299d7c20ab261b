"""The files that may name a table, in SQL and in Python: those of the noun that declares it, and the ones listed here."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

# Tables that migrations create and no `tables.py` declares.
UNDECLARED: Final = {"usage_day": "app/usage", "migration": "app/database"}

# Files that read another noun's table in their own statement, and why they do not use that noun's store.
READS: Final = {
    "app/database/hot_path.py": {"usage_log": "a row a batch, appended and folded with statements that are prepared once"},
    "app/database/hot_sqlite.py": {"usage_log": "the same"},
    "app/sessions/store.py": {
        "account": "a session is read together with its user",
        "member": "from where the members of a workspace are signed in",
    },
    "app/keys/store.py": {
        "account": "a key is read together with the name of its owner",
        "member": "and whether they are still a member",
    },
    "app/tenancy/store.py": {"account": "a member is read together with their user"},
    "app/calendar/store.py": {
        "member": "a link ends with its maker's right to have one, so both are read at one moment",
        "workspace": "the feed is asked for without a session: one statement from link to workspace",
    },
    "app/checklist/store.py": {
        "account": "a visit is read together with the visitor's name",
        "member": "of those who have left, no visit counts",
    },
    "app/audit/store.py": {
        "workspace": "the head of a workspace's chain is on the row that every change locks",
        "installation": "the head of the system's chain, likewise",
    },
    "app/peppers/store.py": {"installation": "peppers are known before the audit log can be read"},
    "app/management_keys/store.py": {"account": "a key is read together with its maker"},
    "app/plans/store.py": {
        "api_key": "the plan's limit is asked for by keys, which are above plans; the count is made under their lock",
        "rotation": "of the two keys of an open rotation one counts",
        "workspace": "all workspaces with their plans and counts, for `doctor`",
    },
    "app/doctor/store.py": {
        "api_key": "the keys of all workspaces, a page at a time, which no use case may read",
        "workspace": "with the name of their workspace",
    },
    "app/request_log/store.py": {
        "api_key": "what belongs to workspaces that keep no log is found in the database",
        "workspace": "the same",
    },
    "app/usage/store.py": {
        "api_key": "the usage of a workspace is that of its keys, added up in the database",
        "key_last_used": "written with the counters, in one statement with them",
    },
    "app/usage/fold_store.py": {
        "api_key": "a workspace's days are added up over its keys, in the database",
        "workspace": "the next workspace whose days are to be added up",
    },
    "app/usage/caller_store.py": {"api_key": "the callers of a workspace are those of its keys, added up in the database"},
    "app/usage/recent_store.py": {"api_key": "whether a network is known to any key of a workspace"},
    "app/rotations/store.py": {
        "api_key": "a rotation is open only while both keys live",
        "key_last_used": "the mark of a live page: one statement each time it looks",
        "caller": "the same",
        "workspace": "the same",
    },
    "app/alerts/conditions.py": {
        "rotation": "what there is to say of a key depends on its open rotation",
        "api_key": "which is open only while the successor lives",
    },
    "app/alerts/alert_store.py": {"api_key": "whether an alert about a date is open depends on its key"},
    "app/alerts/incident_store.py": {
        "api_key": "all that rules need of hundreds of keys, in one statement",
        "workspace": "the same",
    },
    "app/alerts/store.py": {
        "api_key": "what there is to say is found in the database, not by reading all keys",
        "workspace": "in a suspended one nothing is said",
    },
    "app/verification/store.py": {
        "api_key": "all that a batch of verifications needs is read by one statement",
        "imported_key": "the same",
        "workspace": "the same",
        "rotation": "the same",
        "gateway_token": "the same",
    },
    "app/database/exported.py": {
        "api_key": "what belongs to a workspace belongs to its keys, its rotations and its members",
        "rotation": "the same",
        "member": "the same",
    },
    "app/database/copying.py": {
        "workspace": "whether a database is empty is asked before any noun may be used",
        "account": "the same",
        "gateway_token": "the same",
        "operator_key": "the same",
    },
}

WRITES: Final = {
    "app/database/hot_path.py": {"usage_log": "a row a batch, appended and folded with statements that are prepared once"},
    "app/database/hot_sqlite.py": {"usage_log": "the same"},
    "app/usage/caller_store.py": {"key_last_used": "instants ahead of the clock are brought back together"},
    "app/usage/counters.py": {"key_last_used": "last use is counted with the request, in the order in which all writers lock"},
    "app/verification/store.py": {"job": "readiness is proved by a write, to a row where nothing else is written"},
}

# Files that insert a table's name into the SQL text, and the tables.
COMPUTED: Final = {
    "app/audit/store.py": "workspace or installation: the row that holds the head of a chain",
    "app/database/__init__.py": "the table class that `insert` is called with, which only its noun's store has",
    "app/database/comparing.py": "all of them: whether two databases are equal",
    "app/database/copying.py": "all of them: a backup",
    "app/database/exported.py": "those that nouns declare for exports",
    "app/database/diagnostics.py": "session, throttle, key_last_used, job: instants that mislead when they lie ahead",
    "app/database/statements.py": "those of an Upsert, whose name is looked for where it is made",
    "app/database/roles.py": "PostgreSQL's own lists of tables and of sequences",
    "app/usage/caller_store.py": "caller and key_last_used",
    "app/usage/store.py": "usage_hour or usage_day, by the length of a step; and those of an Upsert",
}

_NAMED: Final = re.compile(r'\b(INSERT INTO|UPDATE|DELETE FROM|FROM|JOIN|ALTER TABLE) +"?(\w+|\{\w*\})')
_WRITING: Final = ("INSERT INTO", "UPDATE", "DELETE FROM", "ALTER TABLE", "insert", "update", "delete", "Upsert")


def test_only_a_tables_own_noun_and_the_listed_files_name_it(root: Path) -> None:
    tables, rows = declared(root)
    found: dict[str, dict[str, set[str]]] = {"reads": {}, "writes": {}}
    computed = set()
    for path in sorted((root / "app").rglob("*.py")):
        file = path.relative_to(root).as_posix()
        if path.name == "tables.py":
            continue  # they name tables only in foreign keys, which are declarations
        for verb, name in named(ast.parse(path.read_text()), rows):
            if name.startswith("{"):
                computed.add(file)
            elif name in tables and not file.startswith(f"{tables[name]}/"):
                found["writes" if verb in _WRITING else "reads"].setdefault(file, set()).add(name)
    assert found["reads"] == {file: set(names) for file, names in READS.items()}
    assert found["writes"] == {file: set(names) for file, names in WRITES.items()}
    assert computed == set(COMPUTED)


def test_the_rule_that_a_key_lives_is_written_once(root: Path) -> None:
    rule = re.compile(r"expires_at IS NULL OR", re.IGNORECASE)
    assert [path.name for path in (root / "app").rglob("*.py") if rule.search(path.read_text())] == ["sql.py"]


def test_a_foreign_table_is_detected_in_every_spelling() -> None:
    spellings = {
        "database.fetch('SELECT 1 FROM api_key WHERE id = {}')": ("FROM", "api_key"),
        "f'SELECT {x} FROM link l JOIN api_key k'": ("JOIN", "api_key"),
        "'UPDATE' ' api_key SET name = 1'": ("UPDATE", "api_key"),
        "f'DELETE FROM \"{table}\"'": ("DELETE FROM", "{}"),
        "'SELECT 1 FROM {table}'.format(table=name)": ("FROM", "{table}"),
        "Upsert('api_key', columns, text, rows)": ("Upsert", "api_key"),
        "ApiKeyRow.select().where(ApiKeyRow.id == 1)": ("select", "api_key"),
        "ApiKeyRow.update({}).run()": ("update", "api_key"),
    }
    for text, expected in spellings.items():
        assert expected in set(named(ast.parse(f"x = {text}"), {"ApiKeyRow": "api_key"})), text
    assert set(named(ast.parse('"""Text FROM api_key."""\nx = "not from api_key"'), {})) == set()


def declared(root: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Table → the package that declares it, and row class → table."""
    tables, rows = dict(UNDECLARED), {}
    for path in (root / "app").glob("*/tables.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and node.keywords and isinstance(value := node.keywords[0].value, ast.Constant):
                rows[node.name] = str(value.value)
                tables[str(value.value)] = path.parent.relative_to(root).as_posix()
    assert len(rows) > 20
    return tables, rows


def named(tree: ast.Module, rows: dict[str, str]) -> Iterator[tuple[str, str]]:
    """The operations and their tables; `{…}` for a name that is inserted into the text."""
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)}
    for node in (each for each in ast.walk(tree) if id(each) not in docstrings):
        match node:
            case ast.JoinedStr(values=parts):
                text = "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in parts)
                yield from _NAMED.findall(text)
            case ast.Constant(value=str() as text):
                yield from _NAMED.findall(text)
            case ast.Call(func=ast.Name(id="Upsert"), args=[ast.Constant(value=str() as table), *_]):
                yield "Upsert", table
            case ast.Attribute(value=ast.Name(id=name), attr=verb) if name in rows:
                yield verb, rows[name]
