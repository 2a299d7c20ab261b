"""What nouns declare, and that nothing is declared twice or left out."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from app.audit.store import CHANGED
from app.clock import SECOND
from app.database.diagnostics import LONGEST_INTERVAL
from app.journal.lines import ACCESS_EVENTS
from app.nouns import EVENTS, JOBS, NOUNS, TABLES, UNSAVED


def test_every_package_with_tables_or_events_is_in_the_list(root: Path) -> None:
    packages = {path.parent.name for name in ("tables", "events") for path in (root / "app").glob(f"*/{name}.py")}
    assert {noun.name for noun in NOUNS} == packages
    assert all((root / "app" / noun.name / "noun.py").is_file() for noun in NOUNS)


def test_every_table_and_event_of_a_package_is_declared(root: Path) -> None:
    for noun in NOUNS:
        for name, declared in (("tables", [table.__name__ for table in noun.tables]), ("events", [e.name for e in noun.events])):
            path = root / "app" / noun.name / f"{name}.py"
            pattern = r"^class (\w+Row)\(" if name == "tables" else r'Event\(\s*"([a-z_.]+)"'
            written = re.findall(pattern, path.read_text(), re.M) if path.is_file() else []
            assert sorted(declared) == sorted(written), noun.name


def test_no_two_nouns_share_a_name_a_table_an_event_a_job_or_an_id_prefix() -> None:
    every = [
        *(noun.name for noun in NOUNS),
        *(f"table {table._meta.tablename}" for table in TABLES),
        *(f"event {event.name}" for noun in NOUNS for event in noun.events),
        *(f"job {job.name}" for job in JOBS),
        *(f"prefix {prefix}" for noun in NOUNS for prefix in noun.id_prefixes),
    ]
    assert [name for name, count in Counter(every).items() if count > 1] == []
    assert all(re.fullmatch("[a-z]{3}", prefix) for noun in NOUNS for prefix in noun.id_prefixes)


def test_what_backups_leave_out_is_a_table() -> None:
    assert {table._meta.tablename for table in TABLES} > UNSAVED


def test_modules_below_the_nouns_name_events_that_there_are() -> None:
    assert {*ACCESS_EVENTS, *CHANGED} <= EVENTS.keys()


def test_no_job_runs_more_rarely_than_doctor_allows_its_next_time_to_lie_ahead() -> None:
    assert max(job.every_seconds for job in JOBS) * SECOND <= LONGEST_INTERVAL
