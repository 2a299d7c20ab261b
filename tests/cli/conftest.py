"""`keydesk` as a process of its own, on the run's database or on one that is not there yet."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import KIND, PEPPER
from tests.support.postgres import Postgres
from tests.support.processes import ROOT
from tests.support.server import Server


@dataclass(frozen=True)
class Keydesk:
    """The command line under these variables; `password` and other secrets go to its stdin."""

    environment: dict[str, str]

    @property
    def variables(self) -> dict[str, str]:
        """Of the process: Keydesk's as given and no others."""
        return {name: value for name, value in os.environ.items() if not name.startswith("KEYDESK_")} | self.environment

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "app", *arguments]

    def run(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Whatever comes of it."""
        return subprocess.run(
            self.command(*arguments), cwd=ROOT, env=self.variables, input=stdin, capture_output=True, text=True, timeout=60
        )

    def __call__(self, *arguments: str, stdin: str = "") -> str:
        """What it printed on stdout; fails with its errors if it did not end well."""
        done = self.run(*arguments, stdin=stdin)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def json(self, *arguments: str, stdin: str = "") -> Any:
        return json.loads(self(*arguments, "--json", stdin=stdin))

    def refused(self, *arguments: str, stdin: str = "", code: int = 1) -> str:
        """The one line in which it says why; with nothing on stdout."""
        done = self.run(*arguments, stdin=stdin)
        assert (done.returncode, done.stdout) == (code, ""), done
        assert "Traceback" not in done.stderr
        return done.stderr.splitlines()[-1].removeprefix("Error: ")

    def under(self, **variables: str) -> Keydesk:
        return replace(self, environment=self.environment | variables)


@pytest.fixture
def keydesk(environment: dict[str, str], db: None) -> Keydesk:
    """On the run's database, which is empty."""
    return Keydesk(environment)


@pytest.fixture
def elsewhere(request: pytest.FixtureRequest, tmp_path: Path) -> Keydesk:
    """On a database that nobody has made yet."""
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
    """On a database that cannot be there: no file, or a name that the server does not know."""
    if KIND == "sqlite":
        return elsewhere
    url = elsewhere.environment["KEYDESK_DATABASE_URL"]
    name = url.partition("?")[0].rsplit("/", 1)[1]
    return elsewhere.under(KEYDESK_DATABASE_URL=url.replace(name, f"keydesk_{uuid.uuid4().hex[:12]}"))


@pytest.fixture
def node(environment: dict[str, str], db: None, tmp_path: Path) -> Iterator[Server]:
    """A node at work on the run's database."""
    with Server(environment, tmp_path).running() as server:
        yield server
