"""Fixtures for all tests: a real database, migrated once per run and emptied before each test.

`KEYDESK_TEST_DATABASE` selects it: `sqlite` (default) or `postgres`, a real server from the development requirements (or the
one named in `KEYDESK_TEST_POSTGRES`). Tables are bound to one database per process, so the two databases need two runs.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from app import database, ids, mail, nouns, reconcile, runtime, start
from app.access.actor import Actor, Role
from app.audit import service as audit
from app.journal import file as journal
from app.keys import service as keys
from app.keys.key import KeySettings
from app.keys.service import Created
from app.outbox import mails
from app.settings import Settings
from app.tenancy import store as workspace_store
from app.tenancy.workspace import MEMBER_ID, WORKSPACE_ID, Member, Workspace
from app.users import store as user_store
from app.users.user import USER_ID, User
from tests.support.leftovers import no_leftovers as no_leftovers
from tests.support.postgres import Postgres
from tests.support.smtp import Smtp
from tests.support.temporary import use_memory

use_memory()

pytest_plugins = ["tests.support.hangs"]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselects tests that do not depend on the database in the PostgreSQL run, because the SQLite run includes them.

    Files with slow tests come first, and then those that run many commands: workers that share files end at the same time.
    """
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (item.path not in slow, item.path.parent.name != "cli"))
    if KIND != "postgres":
        return
    left_out = [item for item in items if not _depends_on_database(item)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in set(left_out)]


def _depends_on_database(item: pytest.Item) -> bool:
    asked = {"database_url", "postgres"} & set(getattr(item, "fixturenames", ()))
    return bool(asked) or hasattr(getattr(item, "module", None), "KIND")


PEPPER = "a pepper for the tests and for nothing else at all"
GATEWAY_TOKEN = "a-gateway-token-of-the-settings-for-the-tests"
KIND = os.environ.get("KEYDESK_TEST_DATABASE", "sqlite")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server for this run."""
    with Postgres.running() as server:
        yield server


@pytest.fixture(scope="session")
def database_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The URL of an empty database of the engine under test."""
    if KIND == "postgres":
        server: Postgres = request.getfixturevalue("postgres")
        return server.new_database()
    return f"sqlite:///{tmp_path_factory.mktemp('database')}/keydesk.db"


@pytest.fixture(scope="session")
def environment(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment variables of Keydesk in this run; processes that tests start get the same ones."""
    return {
        "KEYDESK_DATABASE_URL": database_url,
        "KEYDESK_PEPPER": PEPPER,
        "KEYDESK_GATEWAY_TOKENS": GATEWAY_TOKEN,
        "KEYDESK_REVOCATION_JOURNAL": str(tmp_path_factory.mktemp("journal") / "revocations.jsonl"),
        "KEYDESK_MAIL_FOLDER": str(tmp_path_factory.mktemp("post") / "mail"),
        "KEYDESK_DEV": "1",
    }


@pytest.fixture(scope="session")
def settings(environment: dict[str, str]) -> Settings:
    return Settings.load(environment)


@pytest.fixture(scope="session")
async def opened(settings: Settings) -> AsyncIterator[None]:
    """This process's database, open and migrated."""
    async with start.opened(settings, make=True):
        yield


@pytest.fixture(autouse=True)
def same_runtime() -> Iterator[None]:
    """Restores the runtime after each test, because a test may replace its parts."""
    with runtime.replaced():
        yield


@pytest.fixture
async def db(opened: None) -> AsyncIterator[None]:
    """The database, containing only the rows that Keydesk itself adds at start."""
    await empty()
    yield
    database.freeze(None)


async def empty() -> None:
    """Empties every table except the migrations, the peppers and the row of the installation."""
    tables = [name for table in reversed(nouns.TABLES) if (name := table._meta.tablename) not in ("pepper", "installation")]
    # Most tests fill few tables: one statement finds them.
    filled = " UNION ALL ".join(f"SELECT '{table}' AS name WHERE EXISTS (SELECT 1 FROM {table})" for table in tables)
    async with database.transaction():
        found = {row["name"] for row in await database.fetch(filled)}
        for table in (each for each in tables if each in found):
            await database.fetch(f"DELETE FROM {table}")
        await database.fetch("UPDATE installation SET audit_length = 0, audit_head = {}", b"")
    await reconcile.begin_anew(journal.current())


@dataclass(frozen=True)
class Team:
    """A workspace with one member of each role."""

    workspace: Workspace
    owner: Actor
    editor: Actor
    viewer: Actor

    @property
    def slug(self) -> str:
        return self.workspace.slug


async def make_team(name: str = "acme", plan: str = "scale") -> Team:
    now = await database.now()
    workspace = Workspace(ids.new(WORKSPACE_ID), name, name.title(), plan, "UTC", None, now, None)
    actors = []
    async with database.transaction():
        await workspace_store.add(workspace, audit.wrapped_key(workspace.id))
        for role in (Role.OWNER, Role.EDITOR, Role.VIEWER):
            user = User(ids.new(USER_ID), f"{role}@{name}.example", f"{role.title()} of {name}", now)
            await user_store.add(user, user.email, "")
            await workspace_store.add_member(Member(ids.new(MEMBER_ID), workspace.id, user, role, now))
            actors.append(Actor.user(user.id, user.name))
    return Team(workspace, *actors)


@pytest.fixture
async def team(db: None) -> Team:
    return await make_team()


@pytest.fixture
async def other_team(db: None) -> Team:
    """A second workspace, whose objects must stay invisible to the first."""
    return await make_team("rival")


@pytest.fixture
async def smtp(db: None, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Smtp]:
    """This process's mail goes to a real SMTP server of the test, and is tried again without pauses."""
    monkeypatch.setattr(mails, "PAUSES", (0, 0, 0))
    async with Smtp.running() as server:
        there = replace(settings, smtp_url=f"smtp://127.0.0.1:{server.port}", public_url="https://keys.example.com")
        with runtime.replaced(mail.Mail(there)):
            yield server


async def make_key(team: Team, name: str = "Production server", **changes: object) -> Created:
    """Creates a key in the team's workspace, as its owner; `changes` are fields of KeySettings."""
    fields: dict[str, object] = {"name": name, "environment": "production", "permissions": ("pdf.generate", "pdf.read")} | changes
    return await keys.create(team.owner, team.slug, KeySettings(**fields))  # type: ignore[arg-type]


def unique(prefix: str) -> str:
    """A name that no other test uses."""
    return f"{prefix}-{uuid.uuid4().hex[:12]}"


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's root folder."""
    return Path(__file__).resolve().parent.parent
