"""Deleting a workspace: everything that opens it ends in one change, and what explains its past stays."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from app import database, ids, replay, runtime
from app.access.actor import Actor, Role
from app.audit import store as audit_store
from app.calendar import service as calendars
from app.clock import DAY
from app.errors import ConfirmationNeeded, KeydeskError, NotAllowed, NotAuthenticated, NotFound, ValidationFailed
from app.journal import file as journal
from app.keys import service as keys
from app.keys.key import Reason
from app.keys.service import Created
from app.management_keys import service as management_keys
from app.management_keys.management_key import ManagementKeyInput
from app.members import service as members
from app.paging import Window
from app.provisioning import deletion
from app.rotations import service as rotations
from app.settings import Settings
from app.tenancy import service as tenancy
from app.tenancy.workspace import WorkspaceFilter
from app.users import store as user_store
from app.users.user import USER_ID, User
from app.verification.routes import Verification
from app.webhooks import service as webhooks
from app.webhooks.validation import WebhookInput
from app.webhooks.webhook import Kind
from app.workspaces import creation
from tests.conftest import Team, make_key
from tests.support.time_limits import extend_time_limits
from tests.verification.conftest import watched

OPERATOR, SYSTEM = Actor.operator(), Actor.system()


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    extend_time_limits(monkeypatch)


async def code_of(settings: Settings, secret: str | None) -> str:
    verification = Verification(settings)
    await verification.open()
    try:
        return await watched(verification).code(secret or "")
    finally:
        await verification.close()


async def delete(team: Team, actor: Actor = OPERATOR) -> None:
    await deletion.delete(actor, team.workspace.id, team.slug)


async def test_everything_that_opens_the_workspace_ends(team: Team, other_team: Team, settings: Settings) -> None:
    key, theirs = await make_key(team), await make_key(other_team)
    successor = await rotations.start(team.owner, (await make_key(team)).key.id)
    asked = ManagementKeyInput("CI", ("keys.read",), await database.now() + DAY)
    secrets = [(await management_keys.create(maker, team.slug, asked))[1] for maker in (team.owner, OPERATOR)]
    await webhooks.create(team.owner, team.slug, WebhookInput("CI", Kind.STANDARD, "https://hooks.example.com"))
    _, invitation = await members.invite(team.owner, team.slug, "new@example.org", Role.VIEWER)
    feed = await calendars.renew_link(team.owner, team.slug)
    await delete(team, team.owner)
    assert [await code_of(settings, each.secret) for each in (key, theirs)] == ["REVOKED", "VALID"]
    assert await code_of(settings, successor.secret) == "REVOKED"
    for secret in secrets:
        with pytest.raises(NotAuthenticated):
            await management_keys.authenticate(secret, team.owner.request)
    assert await members.find_invitation(invitation.rpartition("/")[2]) is None
    with pytest.raises(NotFound):
        await calendars.read(feed.rpartition("/")[2].removesuffix(".ics"))
    for table in ("webhook", "member", "link", "calendar_link"):
        rows = await database.fetch(f"SELECT * FROM {table} WHERE workspace = {{}}", team.workspace.id)
        assert rows == [], table
    open_runs = await database.fetch("SELECT id FROM rotation WHERE workspace = {} AND ended_at IS NULL", team.workspace.id)
    assert open_runs == []


async def test_nobody_finds_it_any_more_but_the_operator_in_the_list_of_deleted_ones(team: Team, other_team: Team) -> None:
    key = (await make_key(team)).key
    await delete(team)
    for actor in (team.owner, team.viewer, other_team.owner):
        for named in ({"slug": team.slug}, {"slug": team.workspace.id}, {"slug": None, "workspace_id": team.workspace.id}):
            with pytest.raises(NotFound):
                await tenancy.seen(actor, named["slug"], workspace_id=named.get("workspace_id"))
        with pytest.raises(NotFound):
            await keys.get(actor, key.id)
    assert await tenancy.mine(team.owner) == []
    listed = await tenancy.everywhere(OPERATOR, WorkspaceFilter(), Window(10))
    assert [access.workspace.slug for access in listed.items] == [other_team.slug]
    (access,) = (await tenancy.everywhere(OPERATOR, WorkspaceFilter(deleted=True), Window(10))).items
    assert (access.workspace.id, access.workspace.deleted_at) == (team.workspace.id, access.workspace.deleted_at)
    assert access.workspace.deleted_at is not None and access.workspace.slug == team.workspace.id
    with pytest.raises(NotFound):
        await delete(team)


async def test_its_slug_is_free_again_and_the_new_workspace_has_nothing_of_it(team: Team, settings: Settings) -> None:
    old = await make_key(team)
    await delete(team)
    user = User(ids.new(USER_ID), "new@example.org", "New", await database.now())
    async with tenancy.changing_installation(OPERATOR) as change:
        await user_store.add(user, user.email, "")
        made = await creation.create_in(change, user, "Again", slug=team.slug)
    assert (made.slug, await code_of(settings, old.secret)) == (team.slug, "REVOKED")
    with pytest.raises(NotFound):
        await keys.get(Actor.user(user.id, user.name), old.key.id)


async def test_its_history_stays_and_its_chain_verifies(team: Team) -> None:
    key = (await make_key(team)).key
    await delete(team, team.owner)
    newest, *_ = await audit_store.newest(team.workspace.id, limit=10)
    assert (newest.action, newest.actor.id, newest.target) == ("workspace.deleted", team.owner.id, team.workspace.id)
    assert newest.detail == {"name": team.workspace.name, "slug": team.slug, "api_keys": 1, "management_keys": 0}
    kept = await keys.get(OPERATOR, key.id)
    assert kept.revocation is not None and kept.revocation.reason is Reason.NO_LONGER_NEEDED
    assert kept.revocation.by.id == team.owner.id


async def test_only_an_owner_with_a_recent_password_and_the_slug_deletes(team: Team, other_team: Team) -> None:
    long_ago = Actor.user(team.owner.id, "Owner", authenticated_at=1)
    for actor, slug, refusal in (
        (team.editor, team.slug, NotAllowed),
        (team.viewer, team.slug, NotAllowed),
        (other_team.owner, team.slug, NotFound),
        (long_ago, team.slug, ConfirmationNeeded),
        (team.owner, "", ValidationFailed),
        (team.owner, other_team.slug, ValidationFailed),
    ):
        with pytest.raises(refusal):
            await deletion.delete(actor, team.workspace.id, slug)
    assert [access.workspace.deleted_at for access in await tenancy.mine(team.owner)] == [None]


async def test_keys_that_are_created_meanwhile_are_revoked_or_never_made(team: Team, settings: Settings) -> None:
    """Creates, rotations and the deletion run against each other; afterwards nothing of it lives."""

    async def create(number: int) -> Created | None:
        try:
            return await make_key(team, f"Key {number}")
        except KeydeskError:
            return None

    made = await asyncio.gather(
        *(create(number) for number in range(5)), delete(team, team.owner), *(create(5 + n) for n in range(5))
    )
    for each in made:
        if isinstance(each, Created):
            assert await code_of(settings, each.secret) == "REVOKED"
    living = await database.fetch("SELECT id FROM api_key WHERE workspace = {} AND revoked_at IS NULL", team.workspace.id)
    assert living == []


async def test_a_thousand_keys_end_in_a_moment_and_all_are_in_the_journal(team: Team, tmp_path: Path) -> None:
    book = journal.Journal(tmp_path / "own" / "revocations.jsonl")
    runtime.put(book)
    first = (await make_key(team)).key.id
    async with database.transaction():
        (columns,) = await database.fetch("SELECT * FROM api_key WHERE id = {}", first)
        for number in range(1_000):
            row = {**columns, "id": ids.new("key"), "digest": number.to_bytes(32, "big"), "leak_digest": None}
            marks = ", ".join("{}" for _ in row)
            await database.fetch(f"INSERT INTO api_key ({', '.join(row)}) VALUES ({marks})", *row.values())
    began = time.process_time()
    await delete(team)
    assert time.process_time() - began < 2
    contents = await book.contents()
    assert len(contents.keys) == 1_001
    assert [change.kind for change in contents.access_changes] == ["workspace.deleted"]


async def test_a_database_of_before_deletes_it_again(team: Team, tmp_path: Path, settings: Settings) -> None:
    book = journal.Journal(tmp_path / "own" / "revocations.jsonl")
    runtime.put(book)
    key = await make_key(team)
    before = {
        table: await database.fetch(f"SELECT * FROM {table} WHERE workspace = {{}}", team.workspace.id)
        for table in ("member", "api_key")
    }
    (row,) = await database.fetch("SELECT * FROM workspace WHERE id = {}", team.workspace.id)
    await delete(team, team.owner)
    async with database.transaction():
        await database.fetch("DELETE FROM audit_entry WHERE action = 'workspace.deleted'")
        for name in ("slug", "deleted_at", "audit_length", "audit_head"):
            await database.fetch(f"UPDATE workspace SET {name} = {{}} WHERE id = {{}}", row[name], row["id"])
        await database.fetch("UPDATE api_key SET revoked_at = NULL WHERE workspace = {}", row["id"])
        for member in before["member"]:
            marks = ", ".join("{}" for _ in member)
            await database.fetch(f"INSERT INTO member ({', '.join(member)}) VALUES ({marks})", *member.values())
    assert (await tenancy.seen(team.owner, team.slug)).role is Role.OWNER
    assert (await replay.replay())["workspace.deleted"] == 1
    assert await code_of(settings, key.secret) == "REVOKED"
    with pytest.raises(NotFound):
        await tenancy.seen(team.owner, team.slug)
    assert dict(await replay.replay()) == {}
    (entry,) = await audit_store.newest(team.workspace.id, limit=1)
    assert (entry.action, entry.detail["from"], entry.actor.kind) == ("workspace.deleted", "the journal", SYSTEM.kind)
