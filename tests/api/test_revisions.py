"""Optimistic locking: a change names the state it was made for, and overwrites nothing that its author has not seen."""

from __future__ import annotations

from typing import Any

from app import database
from app.access.actor import Actor
from app.clock import DAY, MINUTE, rfc3339
from app.keys import service as keys
from app.keys.key import Reason
from app.plans import service as plans
from app.workspaces import service as workspaces
from tests.conftest import Team, make_key, make_team
from tests.support.callers import use
from tests.support.graphql import Client
from tests.support.statements import counted

LOST = "Someone else changed this while you had it open. Your changes have not been saved yet."


async def test_a_key_that_changed_since_it_was_read_is_a_conflict_and_keeps_the_change(owner: Client, team: Team) -> None:
    key = (await make_key(team)).key
    read = (await owner.run("keys/show", id=key.id))["revision"]
    theirs = (await owner.change("keys/update", id=key.id, name="Theirs", expectedRevision=read))["apiKey"]
    assert theirs["revision"] != read
    refused = await owner.change("keys/update", id=key.id, allowedIps=["203.0.113.9"], expectedRevision=read)
    assert refused == {"code": "CONFLICT", "message": LOST}
    shown = await owner.run("keys/show", id=key.id)
    assert (shown["name"], shown["allowedIps"], shown["revision"]) == ("Theirs", [], theirs["revision"])
    # Repeating it finds the values already set, and a change without a revision is not checked.
    again = await owner.change("keys/update", id=key.id, name="Theirs", expectedRevision=read)
    assert again["apiKey"]["revision"] == theirs["revision"]
    for unasked in ({}, {"expectedRevision": None}):
        assert "apiKey" in await owner.change("keys/update", id=key.id, name=f"Mine {unasked}", **unasked)


async def test_a_workspace_that_changed_since_it_was_read_is_a_conflict_and_keeps_the_change(owner: Client) -> None:
    read = (await owner.run("workspaces/show"))["revision"]
    theirs = (await owner.change("workspaces/update", timezone="Europe/Berlin", expectedRevision=read))["workspace"]
    assert await owner.change("workspaces/update", name="Mine", expectedRevision=read) == {"code": "CONFLICT", "message": LOST}
    shown = await owner.run("workspaces/show")
    assert (shown["name"], shown["timezone"], shown["revision"]) == ("Acme", "Europe/Berlin", theirs["revision"])
    assert (await owner.change("workspaces/update", name="Mine", expectedRevision=shown["revision"]))["workspace"]["name"] == "Mine"


async def test_a_role_that_changed_since_it_was_read_is_a_conflict_and_stays(owner: Client, team: Team) -> None:
    user = team.editor.user_id
    await owner.change("members/change-role", user=user, role="VIEWER", expectedRole="EDITOR")
    refused = await owner.change("members/change-role", user=user, role="OWNER", expectedRole="EDITOR")
    assert refused == {"code": "CONFLICT", "message": LOST}
    members = (await owner.run("members/list"))["members"]["nodes"]
    assert [member["role"] for member in members if member["user"]["id"] == user] == ["VIEWER"]


async def test_every_change_of_a_key_updates_updated_at_and_using_it_does_not(owner: Client, team: Team) -> None:
    key, start = (await make_key(team)).key, await database.now()
    edits = (
        lambda: keys.update(team.owner, key.id, {"name": "Other"}),
        lambda: keys.suspend(team.owner, key.id),
        lambda: keys.resume(team.owner, key.id),
        lambda: keys.revoke(team.owner, key.id, Reason.OTHER),
    )
    assert (await owner.run("keys/show", id=key.id))["updatedAt"] == rfc3339(key.created_at)
    for minute, edit in enumerate(edits, 1):
        database.freeze(start + minute * MINUTE)
        await edit()
        database.freeze(start + minute * MINUTE + 1)
        await use(key.id)
        assert (await owner.run("keys/show", id=key.id))["updatedAt"] == rfc3339(start + minute * MINUTE)


UPDATED = "query($id: ID!) { node(id: $id) { ... on %s { updatedAt } } }"


async def updated(client: Client, kind: str, node_id: str) -> str:
    return str((await client.ask(UPDATED % kind, id=node_id))["node"]["updatedAt"])


async def test_every_change_of_a_webhook_a_rotation_and_a_management_key_updates_its_updated_at(owner: Client, team: Team) -> None:
    start = await database.now()
    database.freeze(start)
    webhook = (await owner.change("webhooks/create", name="CI", url="https://hooks.example.com"))["webhook"]["id"]
    asked = {"name": "CI", "scopes": ["keys.read"], "expiresAt": rfc3339(start + DAY)}
    managing = (await owner.change("management/create", **asked))["managementKey"]["id"]
    run = (await owner.change("rotations/start", id=(await make_key(team)).key.id))["rotation"]["id"]
    for kind, node_id in (("Webhook", webhook), ("ManagementKey", managing), ("Rotation", run)):
        assert await updated(owner, kind, node_id) == rfc3339(start), kind
    changes: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
        ("Webhook", "webhooks/update", webhook, {"name": "Other"}),
        ("Webhook", "webhooks/update", webhook, {"enabled": False}),
        ("Webhook", "webhooks/update", webhook, {"enabled": True}),
        ("Webhook", "webhooks/rotate-secret", webhook, {}),
        ("ManagementKey", "management/revoke", managing, {}),
        ("Rotation", "rotations/extend", run, {"deadline": rfc3339(start + 20 * DAY)}),
        ("Rotation", "rotations/cancel", run, {}),
    )
    for minute, (kind, operation, node_id, given) in enumerate(changes, 1):
        database.freeze(start + minute * MINUTE)
        assert "code" not in await owner.change(operation, id=node_id, **given)
        assert await updated(owner, kind, node_id) == rfc3339(start + minute * MINUTE), operation
    database.freeze(start + DAY)
    await owner.change("webhooks/test", id=webhook)
    assert await updated(owner, "Webhook", webhook) == rfc3339(start + 4 * MINUTE)


async def test_changes_of_a_workspace_update_its_updated_at_and_changes_of_its_keys_do_not(owner: Client, team: Team) -> None:
    start = await database.now()
    edits = (
        lambda: workspaces.update(team.owner, team.slug, name="Other"),
        lambda: plans.change_plan(team.owner, team.slug, "free"),
        lambda: workspaces.suspend(Actor.operator(), team.slug),
        lambda: workspaces.resume(Actor.operator(), team.slug),
    )
    assert (await owner.run("workspaces/show"))["updatedAt"] == rfc3339(team.workspace.created_at)
    for minute, edit in enumerate(edits, 1):
        database.freeze(start + minute * MINUTE)
        await edit()
        assert (await owner.run("workspaces/show"))["updatedAt"] == rfc3339(start + minute * MINUTE)
    database.freeze(start + 10 * MINUTE)
    await make_key(team)
    assert (await owner.run("workspaces/show"))["updatedAt"] == rfc3339(start + 4 * MINUTE)


async def test_the_times_of_a_page_are_read_in_one_statement(db: None) -> None:
    team, spent = await make_team(plan="scale_enterprise"), []
    found: dict[str, Any] = {}
    for number in range(30):
        await make_key(team, f"Key {number}")
    for first in (2, 30):
        with counted() as statements:
            query = "query($n: Int!) { workspace { apiKeys(first: $n) { nodes { createdAt updatedAt revision } } } }"
            found = await Client(team.owner).ask(query, n=first)
        spent.append(len(statements))
    assert spent[0] == spent[1]
    assert all(node["updatedAt"] == node["createdAt"] for node in found["workspace"]["apiKeys"]["nodes"])
