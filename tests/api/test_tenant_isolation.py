"""Tenant isolation: the answer for an object of another workspace is, byte for byte, that for one that does not exist."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from app import database, ids
from app.access.actor import Role, Scope
from app.alerts.alert import ALERT_ID
from app.api.execution.http import STREAM
from app.clock import DAY
from app.keys import secret as secrets
from app.keys.key import API_KEY_ID
from app.keys.leak_digest import sha256_of
from app.management_keys import service as management_keys
from app.management_keys.management_key import MANAGEMENT_KEY_ID, ManagementKeyInput
from app.members import service as members
from app.members.invitation import INVITATION_ID
from app.paging import Window
from app.request_log.request import REQUEST_ID
from app.rotations import service as rotations
from app.rotations.rotation import ROTATION_ID
from app.tenancy.workspace import WORKSPACE_ID
from app.usage.caller import CALLER_ID
from app.users.user import USER_ID
from app.webhooks import delivery_store
from app.webhooks import service as webhooks
from app.webhooks.validation import WebhookInput
from app.webhooks.webhook import DELIVERY_ID, WEBHOOK_ID, Kind
from tests.api.conftest import program
from tests.conftest import Team, make_key, unique
from tests.support.alerts import raise_alert
from tests.support.callers import use
from tests.support.graphql import Client, operation, operations
from tests.support.usage import logged

NEW_KEY = {"name": "k", "environment": "production", "permissions": ["pdf.read"]}


@dataclass(frozen=True)
class Things:
    """The objects that an operation can refer to."""

    slug: str
    workspace: str
    key: str
    secret: str
    user: str
    management_key: str
    rotation: str
    caller: str
    invitation: str
    webhook: str
    delivery: str
    alert: str
    request: str

    @classmethod
    def nowhere(cls) -> Things:
        kinds = (
            WORKSPACE_ID,
            API_KEY_ID,
            USER_ID,
            MANAGEMENT_KEY_ID,
            ROTATION_ID,
            CALLER_ID,
            INVITATION_ID,
            WEBHOOK_ID,
            DELIVERY_ID,
            ALERT_ID,
            REQUEST_ID,
        )
        workspace, key, user, management_key, *others = (ids.new(kind) for kind in kinds)
        secret = secrets.generate("fl", "live")
        return cls(unique("nowhere"), workspace, key, secret, user, management_key, *others)

    @classmethod
    async def of(cls, team: Team) -> Things:
        made, asked = await make_key(team), ManagementKeyInput("CI", ("keys.read",), await database.now() + DAY)
        managing, _ = await management_keys.create(team.owner, team.slug, asked)
        await use(made.key.id)
        run = (await rotations.start(team.owner, made.key.id)).progress
        caller = run.callers[0].caller.id
        invitation, _ = await members.invite(team.owner, team.slug, "asked@example.org", Role.VIEWER)
        webhook = (
            await webhooks.create(team.owner, team.slug, WebhookInput("CI", Kind.STANDARD, "https://hooks.example.com"))
        ).webhook
        await webhooks.send_test(team.owner, webhook.id)
        (delivery,) = (await delivery_store.page(webhook.id, Window(9))).items
        alert = await raise_alert(made.key)
        request = await logged(made.key.id, "EXPIRED")
        others = (team.editor.id, managing.id, run.rotation.id, caller, invitation.id, webhook.id, delivery.id, alert, request)
        return cls(team.slug, team.workspace.id, made.key.id, made.secret or "", *others)


def naming(things: Things, expires_at: str = "2027-06-01T00:00:00Z") -> dict[str, list[dict[str, Any]]]:
    """Variables that refer to these objects, for every operation that refers to objects."""
    slug = {"workspace": things.slug}
    every = (
        things.key,
        things.workspace,
        things.management_key,
        things.user,
        things.rotation,
        things.caller,
        things.invitation,
        things.webhook,
        things.delivery,
        things.alert,
        things.request,
    )
    return {
        "workspaces/show": [slug],
        "workspaces/usage": [slug],
        "workspaces/provision": [{"input": {"name": "Mine", "ownerEmail": "new@example.com"}}],
        "workspaces/transfer": [{"input": slug | {"ownerEmail": "new@example.com"}}],
        "workspaces/delete": [{"input": {"id": each, "slug": things.slug}} for each in every],
        "workspaces/suspend": [{"input": slug}],
        "workspaces/resume": [{"input": slug}],
        "workspaces/update": [{"input": slug | {"name": "Mine now"}}],
        "checklist/show": [slug],
        "checklist/attest": [{"input": slug | {"item": "KEYS_OUT_OF_CODE"}}],
        "plans/change": [{"input": slug | {"plan": "free"}}],
        "keys/list": [slug, {"filter": {"search": things.key}}, {"filter": {"search": things.secret}}],
        "keys/leaked": [{"sha256": [sha256_of(things.secret).hex()]}],
        "keys/show": [{"id": each} for each in every],
        "keys/usage": [{"id": things.key}],
        "keys/totals": [{"id": each} for each in every],
        "keys/callers": [{"id": each} for each in every],
        "keys/impact": [{"id": each} for each in every],
        "keys/lineage": [{"id": each} for each in every],
        "requests/list": [{"id": each} for each in every],
        "requests/show": [{"id": each} for each in every],
        "rotations/list": [slug, slug | {"openOnly": True}],
        "rotations/show": [{"id": each} for each in every],
        "rotations/start": [{"input": {"id": each}} for each in every],
        "rotations/complete": [{"input": {"id": each, "force": True}} for each in every],
        "rotations/cancel": [{"input": {"id": each, "force": True}} for each in every],
        "rotations/extend": [{"input": {"id": each, "deadline": expires_at}} for each in every],
        "rotations/dismiss": [{"input": {"rotation": each, "caller": things.caller}} for each in every],
        "rotations/restore": [{"input": {"rotation": each, "caller": things.caller}} for each in every],
        "keys/create": [{"input": slug | NEW_KEY}],
        "keys/update": [{"input": {"id": each, "name": "Mine now"}} for each in every],
        "keys/suspend": [{"input": {"id": each}} for each in every],
        "keys/resume": [{"input": {"id": each}} for each in every],
        "keys/revoke": [{"input": {"id": each, "reason": "OTHER"}} for each in every],
        "keys/update-all": [{"input": {"ids": [each], "labels": [{"name": "mine"}]}} for each in every],
        "keys/suspend-all": [{"input": {"ids": [each]}} for each in every],
        "keys/resume-all": [{"input": {"ids": [each]}} for each in every],
        "keys/replace-unused": [{"input": {"id": each}} for each in every],
        "rotations/start-all": [{"input": {"ids": [each]}} for each in every],
        "keys/revoke-all": [{"input": {"ids": [each], "reason": "OTHER"}} for each in every],
        "keys/verify": [{"input": {"key": things.secret}}, {"input": slug | {"key": things.secret}}],
        "members/list": [slug],
        "members/invite": [{"input": slug | {"email": "new@example.com", "role": "VIEWER"}}],
        "members/withdraw": [{"input": {"id": each}} for each in every],
        "members/change-role": [
            {"input": {"user": things.user, "role": "OWNER"}},
            {"input": slug | {"user": things.user, "role": "VIEWER"}},
        ],
        "members/remove": [{"input": {"user": things.user}}, {"input": slug | {"user": things.user}}],
        "management/list": [slug],
        "management/create": [{"input": slug | {"name": "CI", "scopes": ["keys.read"], "expiresAt": expires_at}}],
        "management/revoke": [{"input": {"id": each}} for each in every],
        "webhooks/list": [slug],
        "webhooks/deliveries": [{"id": each} for each in every],
        "webhooks/create": [{"input": slug | {"name": "Mine", "url": "https://hooks.example.com"}}],
        "webhooks/update": [{"input": {"id": each, "name": "Mine now"}} for each in every],
        "webhooks/rotate-secret": [{"input": {"id": each}} for each in every],
        "webhooks/test": [{"input": {"id": each}} for each in every],
        "webhooks/redeliver": [{"input": {"id": each}} for each in every],
        "webhooks/delete": [{"input": {"id": each}} for each in every],
        "keys/used": [{"id": each} for each in every],
        "rotations/changed": [{"id": each} for each in every],
        "alerts/raised": [slug],
        "alerts/list": [slug, *({"filter": {"apiKey": each}} for each in every)],
        "alerts/show": [{"id": each} for each in every],
        "alerts/resolve": [{"input": {"id": each, "resolution": "EXPECTED"}} for each in every],
        "alerts/set-expected-use": [{"input": {"apiKey": each, "kind": "DORMANT_KEY", "expected": True}} for each in every],
        "alerts/automatic-suspension": [slug | {"kind": "UNEXPECTED_NETWORK"}],
        "alerts/update-automatic-suspension": [{"input": slug | {"kinds": ["DORMANT_KEY"]}}],
        "alerts/mail": [slug],
        "alerts/update-mail": [{"input": slug | {"dailyHour": 3}}],
        "audit/list": [slug, *({"target": each} for each in every)],
    }


async def everything() -> list[Any]:
    """Every row, without the time of use of the caller's management key."""
    tables = ("api_key", "member", "account", "audit_entry", "link", "usage_hour", "key_last_used", "rotation", "caller", "webhook",
              "webhook_delivery", "checklist_attestation", "alert", "alert_expectation",
              "automatic_suspension", "alert_mail")  # fmt: skip
    rows = [await database.fetch(f"SELECT * FROM {table} ORDER BY 1, 2") for table in tables]
    rows.append(await database.fetch("SELECT id, maker, scopes, expires_at, revoked_at FROM management_key ORDER BY 1"))
    return [*rows, await database.fetch("SELECT id, slug, name, plan, timezone FROM workspace ORDER BY 1")]


def test_every_operation_that_refers_to_an_object_is_covered() -> None:
    named = {
        name for name in operations() if any(f"${word}:" in operation(name) for word in ("id", "input", "workspace", "target"))
    }
    # Its input is a name for something new.
    assert set(naming(Things.nowhere())) == named - {"workspaces/create"}


@pytest.mark.parametrize("name", sorted(naming(Things.nowhere())))
async def test_objects_of_another_workspace_answer_like_objects_that_do_not_exist(team: Team, other_team: Team, name: str) -> None:
    callers = [Client(team.owner), await program(team.owner, team.slug, *Scope), await program(team.owner, team.slug, "keys.read")]
    theirs = naming(await Things.of(other_team))[name]
    before = await everything()
    for caller in callers:
        for variables, unknown in zip(theirs, naming(Things.nowhere())[name], strict=True):
            accepted = {"accept": STREAM} if "\nsubscription " in operation(name) else {}
            answer, expected = [await caller.send(operation(name), each, **accepted) for each in (variables, unknown)]
            assert (answer.status_code, answer.content) == (expected.status_code, expected.content)
            # Each answer has its own request id, and fewer points left for the caller.
            varying = ("date", "ratelimit", "x-request-id")
            headers = [{name: value for name, value in each.headers.items() if name not in varying} for each in (answer, expected)]
            assert headers[0] == headers[1]
    assert await everything() == before


async def test_another_workspaces_management_key_cannot_be_taken_over(team: Team, other_team: Team) -> None:
    theirs = (await Things.of(other_team)).management_key
    owner = Client(team.owner)
    for named in (theirs, ids.new(MANAGEMENT_KEY_ID)):
        answer = await owner.change("members/remove", user=team.editor.id, takeOver=[named])
        assert [fault["field"] for fault in answer["fields"]] == ["takeOver"]
