"""Runs `keydesk` as a separate process, on the test run's database or on one that does not exist yet."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import KIND, PEPPER
from tests.support import commands
from tests.support.postgres import Postgres
from tests.support.processes import without_settings
from tests.support.server import Server


@dataclass(frozen=True)
class Keydesk:
    """The command line with these variables; `password` and other secrets are sent to its stdin."""

    environment: dict[str, str]

    @property
    def variables(self) -> dict[str, str]:
        """The process's environment, with only the given Keydesk variables."""
        return without_settings() | self.environment

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "app", *arguments]

    def run(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Runs the command and returns the result, whatever its exit code."""
        return commands.run(arguments, self.variables, stdin)

    def __call__(self, *arguments: str, stdin: str = "") -> str:
        """Returns its stdout; fails with its stderr if its exit code is not 0."""
        done = self.run(*arguments, stdin=stdin)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def json(self, *arguments: str, stdin: str = "") -> Any:
        return json.loads(self(*arguments, "--json", stdin=stdin))

    def refused(self, *arguments: str, stdin: str = "", code: int = 1) -> str:
        """Returns the single line of stderr of a refused command; checks that stdout is empty."""
        done = self.run(*arguments, stdin=stdin)
        assert (done.returncode, done.stdout) == (code, ""), done
        assert "Traceback" not in done.stderr
        return done.stderr.splitlines()[-1].removeprefix("Error: ")

    def under(self, **variables: str) -> Keydesk:
        return replace(self, environment=self.environment | variables)


@pytest.fixture
def keydesk(environment: dict[str, str], db: None) -> Keydesk:
    """The command line on the run's database, which is empty."""
    return Keydesk(environment)


@pytest.fixture
def elsewhere(request: pytest.FixtureRequest, tmp_path: Path) -> Keydesk:
    """The command line on a database that does not exist yet."""
    if KIND == "postgres":
        server: Postgres = request.getfixturevalue("postgres")
        url = server.new_database()
    else:
        url = f"sqlite:///{tmp_path}/data/keydesk.db"
    journal = str(tmp_path / "revocations.jsonl")
    return Keydesk(
        {"KEYDESK_DATABASE_URL": url, "KEYDESK_PEPPER": PEPPER, "KEYDESK_REVOCATION_JOURNAL": journal, "KEYDESK_DEV": "1"}
    )


@pytest.fixture
def nowhere(elsewhere: Keydesk) -> Keydesk:
    """The command line on a database that cannot exist: no file, or a name that the server does not know."""
    if KIND == "sqlite":
        return elsewhere
    url = elsewhere.environment["KEYDESK_DATABASE_URL"]
    name = url.partition("?")[0].rsplit("/", 1)[1]
    return elsewhere.under(KEYDESK_DATABASE_URL=url.replace(name, f"keydesk_{uuid.uuid4().hex[:12]}"))


@pytest.fixture
def node(environment: dict[str, str], db: None, tmp_path: Path) -> Iterator[Server]:
    """A running node on the run's database."""
    with Server(environment, tmp_path).running() as server:
        yield server
