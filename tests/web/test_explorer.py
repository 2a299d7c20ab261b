"""The explorer's page: which operations it offers, and whose ids are filled in."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from typing import Any

from app.access.actor import Actor
from app.members import service as members
from app.paths import OPERATIONS
from app.rotations import service as rotations
from app.webhooks import service as webhooks
from app.webhooks.validation import WebhookInput
from app.webhooks.webhook import Kind
from app.workspaces import service as workspaces
from tests.conftest import Team, make_key
from tests.support.usage import logged_only
from tests.web.conftest import Browser, signed_in


async def opened(browser: Browser) -> dict[str, dict[str, Any]]:
    """The variables of each operation, by its name."""
    assert (await browser.open("/graphql", accept="text/html")).status_code == 200
    found = re.search(r'data-operations="([^"]*)"', browser.page)
    assert found
    offered = json.loads(html.unescape(found[1]))
    texts = {path.read_text() for path in OPERATIONS.rglob("*.graphql")}
    assert {each["query"] for each in offered.values()} == texts
    assert set(re.findall(r"<option>(\w+)</option>", browser.page)) == offered.keys()
    return {name: json.loads(each["variables"]) for name, each in offered.items()}


async def test_each_operation_is_offered_with_ids_of_the_users_own_workspace(owner: Browser, team: Team, other_team: Team) -> None:
    await make_key(other_team, "Foreign")
    first = (await rotations.start(team.owner, (await make_key(team)).key.id)).progress
    key = (await make_key(team, "Newest")).key.id
    request = await logged_only(key)
    webhook = (
        await webhooks.create(team.owner, team.slug, WebhookInput("CI", Kind.STANDARD, "https://hooks.example.com"))
    ).webhook.id
    found = await opened(owner)
    assert found["ShowApiKey"] == {"id": key} and found["RotateApiKey"] == {"input": {"id": key}}
    assert found["ListApiKeys"] == {"workspace": team.slug}
    assert found["ShowRotation"] == {"id": first.rotation.id}
    assert found["Request"] == {"id": request} and found["Requests"] == {"id": key}
    assert found["UpdateWebhook"] == {"input": {"id": webhook}}
    assert found["CreateApiKey"]["input"] == {"workspace": team.slug, "name": "", "environment": "production", "permissions": []}
    for operation in ("RevokeApiKey", "CompleteRotation", "DeleteWebhook", "RotateWebhookSecret", "RevokeManagementKey"):
        assert found[operation]["input"]["id"] == "", operation


async def test_no_id_is_filled_in_that_the_user_may_not_read(viewer: Browser, team: Team) -> None:
    made = await webhooks.create(team.owner, team.slug, WebhookInput("CI", Kind.STANDARD, "https://hooks.example.com"))
    found = await opened(viewer)
    assert found["UpdateWebhook"] == {"input": {"id": ""}} and found["ShowApiKey"] == {"id": ""}
    assert made.webhook.id not in viewer.page


async def test_it_opens_for_a_user_without_a_workspace_and_in_a_suspended_one(
    browse: Callable[..., Browser], owner: Browser, team: Team, other_team: Team
) -> None:
    await workspaces.suspend(Actor.operator(), team.slug)
    assert (await opened(owner))["ShowWorkspace"] == {"workspace": team.slug}
    assert 'href="/w/acme"' in owner.page
    await members.remove(other_team.owner, other_team.slug, other_team.viewer.id)
    stranger = await signed_in(browse(), other_team.viewer)
    assert (await opened(stranger))["ShowWorkspace"] == {"workspace": ""}
    assert 'class="back" href="/"' in stranger.page
