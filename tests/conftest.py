"""The ground of all tests: a real database, migrated once per run and emptied before each test.

`KEYDESK_TEST_DATABASE` chooses it: `sqlite` (default) or `postgres`, the real server that the wheel carries (or the one
named in `KEYDESK_TEST_POSTGRES`). Tables are bound to one database per process, so both are two runs of the tests.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from app import database, ids, runtime, start
from app.access.actor import Actor, Role
from app.audit import service as audit
from app.journal import file as journal
from app.keys import service as keys
from app.keys.rules import KeyInput
from app.keys.service import Created
from app.settings import Settings
from app.tenancy import store as workspace_store
from app.tenancy.workspace import Member, User, Workspace
from tests.support.postgres import Postgres


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What neither asks for a database nor which one it is means the same in both runs: it belongs to the first alone."""
    if KIND != "postgres":
        return
    left_out = [item for item in items if not _is_about_databases(item)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in set(left_out)]


def _is_about_databases(item: pytest.Item) -> bool:
    asked = {"database_url", "postgres"} & set(getattr(item, "fixturenames", ()))
    return bool(asked) or hasattr(getattr(item, "module", None), "KIND")


PEPPER = "a pepper for the tests and for nothing else at all"
GATEWAY_TOKEN = "a-gateway-token-of-the-settings-for-the-tests"
KIND = os.environ.get("KEYDESK_TEST_DATABASE", "sqlite")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server of this run."""
    with Postgres.running() as server:
        yield server


@pytest.fixture(scope="session")
def database_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An empty database of the kind under test."""
    if KIND == "postgres":
        server: Postgres = request.getfixturevalue("postgres")
        return server.new_database()
    return f"sqlite:///{tmp_path_factory.mktemp('database')}/keydesk.db"


@pytest.fixture(scope="session")
def environment(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The variables under which this run's Keydesk works; processes that tests start get the same."""
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
    """A test may put other parts into the runtime; the next one finds it as it was."""
    with runtime.replaced():
        yield


@pytest.fixture
async def db(opened: None) -> AsyncIterator[None]:
    """The database with nothing in it but what Keydesk itself puts there at start."""
    await empty()
    yield
    database.freeze(None)


async def empty() -> None:
    """Every table but the migrations', the peppers' and the installation's own row."""
    tables = (
        "notice", "calendar_link",
        "usage_hour", "usage_batch", "caller", "key_last_used", "idempotency", "job", "rotation_dismissal", "rotation", "api_key",
        "management_key", "gateway_token", "audit_entry", "session", "link", "throttle", "member", "account", "workspace",
    )  # fmt: skip
    async with database.transaction():
        for table in tables:
            await database.fetch(f"DELETE FROM {table}")
        await database.fetch("UPDATE installation SET audit_length = 0, audit_head = {}", b"")
    await journal.current().begin_anew()


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
    workspace = Workspace(ids.new(ids.WORKSPACE), name, name.title(), plan, "UTC", None, now, None)
    actors = []
    async with database.transaction():
        await workspace_store.add(workspace, audit.wrapped_key(workspace.id))
        for role in (Role.OWNER, Role.EDITOR, Role.VIEWER):
            user = User(ids.new(ids.USER), f"{role}@{name}.example", f"{role.title()} of {name}", now)
            await workspace_store.add_user(user, user.email, "")
            await workspace_store.add_member(Member(ids.new(ids.MEMBER), workspace.id, user, role, now))
            actors.append(Actor.user(user.id, user.name))
    return Team(workspace, *actors)


@pytest.fixture
async def team(db: None) -> Team:
    return await make_team()


@pytest.fixture
async def other_team(db: None) -> Team:
    """A second workspace, whose things must stay invisible to the first."""
    return await make_team("rival")


async def make_key(team: Team, name: str = "Production server", **changes: object) -> Created:
    """A key of the team's workspace, by its owner; `changes` are fields of KeyInput."""
    fields: dict[str, object] = {"name": name, "environment": "production", "permissions": ("pdf.generate", "pdf.read")} | changes
    return await keys.create(team.owner, team.slug, KeyInput(**fields))  # type: ignore[arg-type]


def unique(prefix: str) -> str:
    """A name no other test uses."""
    return f"{prefix}-{uuid.uuid4().hex[:12]}"


@pytest.fixture(scope="session")
def root() -> Path:
    """The top of the project."""
    return Path(__file__).resolve().parent.parent
