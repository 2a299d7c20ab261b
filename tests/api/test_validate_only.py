"""Changes of webhooks and of the workspace with `validateOnly`: the same problems, a preview, and nothing written."""

from __future__ import annotations

from typing import Any

import pytest

from app import database, ids
from app.clock import DAY, rfc3339
from app.keys import service as keys
from app.keys.key import API_KEY_ID
from app.webhooks import service as webhooks
from app.webhooks.validation import WebhookInput
from app.webhooks.webhook import Kind
from tests.api.conftest import program
from tests.conftest import Team, make_key
from tests.support.graphql import Client

URL = "https://hooks.example.com/a"
HOURS = {"days": ["TUESDAY", "MONDAY"], "opens": "08:00", "closes": "18:00"}


@pytest.fixture
async def webhook(team: Team) -> str:
    wanted = WebhookInput("Before", Kind.SLACK, "https://hooks.slack.com/services/T/B/secret", ("key.revoked",))
    return (await webhooks.create(team.owner, team.slug, wanted)).webhook.id


async def rows() -> Any:
    tables = ("webhook", "workspace", "audit_entry", "idempotency", "api_key", "rotation")
    return [await database.fetch(f"SELECT * FROM {table} ORDER BY 1") for table in tables]


@pytest.mark.parametrize(
    ("operation", "given", "preview"),
    [
        (
            "webhooks/create",
            {"name": " CI ", "url": URL, "events": ["key.revoked", "key.created"], "idempotencyKey": "one"},
            {"name": "CI", "kind": "STANDARD", "url": URL, "events": ["key.created", "key.revoked"]},
        ),
        (
            "webhooks/update",
            {"name": " After "},
            {"name": "After", "kind": "SLACK", "url": "https://hooks.slack.com/…", "events": ["key.revoked"]},
        ),
        (
            "workspaces/update",
            {"name": " After ", "timezone": "Europe/Berlin", "businessHours": HOURS},
            {
                "name": "After",
                "timezone": "Europe/Berlin",
                "businessHours": HOURS | {"days": ["MONDAY", "TUESDAY"]},
                "logsRequests": True,
            },
        ),
    ],
)
async def test_the_preview_is_what_would_be_stored_and_nothing_is(
    owner: Client, viewer: Client, team: Team, webhook: str, operation: str, given: Any, preview: Any
) -> None:
    asked = given | ({"id": webhook} if operation == "webhooks/update" else {})
    ci = await program(team.owner, team.slug, "keys.write", "workspace.read")
    before = await rows()
    assert await owner.change(operation, **asked, validateOnly=True) == preview
    refused = await owner.change(operation, **asked | {"name": " "}, validateOnly=True)
    assert [(fault["field"], fault["code"]) for fault in refused["fields"]] == [("name", "REQUIRED")]
    for client in (viewer, ci):
        assert (await client.change(operation, **asked, validateOnly=True))["code"] == "NOT_ALLOWED"
    assert await rows() == before
    (made,) = [value for name, value in (await owner.change(operation, **asked)).items() if name in ("webhook", "workspace")]
    assert {name: made[name] for name in preview if name in made} == {name: preview[name] for name in preview if name in made}
    assert await rows() != before


async def test_a_rotation_is_checked_without_being_started(owner: Client, viewer: Client, team: Team) -> None:
    now = await database.now()
    database.freeze(now)
    key = (await make_key(team, "Shop", labels=("team=web",), description="For the shop")).key
    ci = await program(team.owner, team.slug, "keys.read")
    before = await rows()
    preview = await owner.change("rotations/start", id=key.id, quietPeriodSeconds=60, idempotencyKey="one", validateOnly=True)
    assert preview == {
        "successor": {
            "name": "Shop",
            "environment": {"name": "production"},
            "permissions": [{"name": "pdf.generate"}, {"name": "pdf.read"}],
            "allowedIps": [],
            "description": "For the shop",
            "labels": [{"name": "team", "value": "web"}],
            "expiresAt": None,
        },
        "deadline": rfc3339(now + 7 * DAY),
        "onDeadline": "KEEP_AND_ALERT",
        "quietPeriodSeconds": 60,
    }
    refused = await owner.change("rotations/start", id=key.id, deadline=rfc3339(now - DAY), validateOnly=True)
    assert [(fault["field"], fault["code"]) for fault in refused["fields"]] == [("deadline", "IN_THE_PAST")]
    for client in (viewer, ci):
        assert (await client.change("rotations/start", id=key.id, validateOnly=True))["code"] == "NOT_ALLOWED"
    nowhere = await owner.change("rotations/start", id=ids.new(API_KEY_ID), validateOnly=True)
    assert nowhere == {"code": "NOT_FOUND", "message": "There is no such API key."}
    assert await rows() == before
    assert (await owner.change("rotations/start", id=key.id, idempotencyKey="one"))["secret"]
    assert (await owner.change("rotations/start", id=key.id, validateOnly=True))["code"] == "CONFLICT"
    suspended = (await make_key(team)).key
    await keys.suspend(team.owner, suspended.id)
    assert (await owner.change("rotations/start", id=suspended.id, validateOnly=True))["code"] == "CONFLICT"


async def test_a_workspace_that_has_changed_conflicts(owner: Client) -> None:
    stale = await owner.change("workspaces/update", name="After", expectedRevision="0" * 16, validateOnly=True)
    assert stale["code"] == "CONFLICT"
