"""Webhooks over GraphQL: what the page does, and what a management key may not see."""

from __future__ import annotations

from app.access.actor import Scope
from app.webhooks.validation import PUBLISHED
from tests.api.conftest import program
from tests.conftest import Team
from tests.support.graphql import Client

URL = "https://hooks.example.com/keydesk"


async def test_a_webhook_is_made_changed_tested_and_deleted(owner: Client, team: Team) -> None:
    made = await owner.change("webhooks/create", name="CI", url=URL, events=["key.revoked"])
    webhook = made["webhook"]
    assert made["secret"].startswith("whsec_") and webhook == {
        "id": webhook["id"], "name": "CI", "kind": "STANDARD", "url": URL, "events": ["key.revoked"], "enabled": True,
    }  # fmt: skip
    assert (await owner.change("webhooks/update", id=webhook["id"], events=[]))["webhook"]["events"] == []
    disabled = (await owner.change("webhooks/update", id=webhook["id"], enabled=False))["webhook"]
    assert (disabled["enabled"], disabled["disabledReason"]) == (False, "BY_OWNER")
    assert (await owner.change("webhooks/test", id=webhook["id"]))["code"] == "CONFLICT"
    await owner.change("webhooks/update", id=webhook["id"], enabled=True)
    await owner.change("webhooks/test", id=webhook["id"])
    (delivery,) = (await owner.run("webhooks/deliveries", id=webhook["id"]))["deliveries"]["nodes"]
    assert (delivery["type"], delivery["state"], delivery["attempts"]) == ("webhook.test", "PENDING", 0)
    again = (await owner.change("webhooks/redeliver", id=delivery["id"]))["delivery"]
    assert (again["messageId"], again["state"]) == (delivery["messageId"], "PENDING")
    renewed = await owner.change("webhooks/rotate-secret", id=webhook["id"])
    assert renewed["secret"] not in (None, made["secret"]) and renewed["webhook"]["previousSecretUntil"]
    assert (await owner.change("webhooks/delete", id=webhook["id"])) == {"deletedId": webhook["id"]}
    assert (await owner.change("webhooks/delete", id=webhook["id"]))["code"] == "NOT_FOUND"


async def test_a_repeated_idempotency_key_makes_one_webhook_and_another_input_is_a_conflict(owner: Client, team: Team) -> None:
    first = await owner.change("webhooks/create", name="CI", url=URL, idempotencyKey="deploy-7")
    again = await owner.change("webhooks/create", name="CI", url=URL, idempotencyKey="deploy-7")
    assert first["secret"] is not None and again == {**first, "secret": None}
    assert (await owner.change("webhooks/create", name="Else", url=URL, idempotencyKey="deploy-7"))["code"] == "CONFLICT"
    for wrong in ("", "x" * 201):
        faulty = await owner.change("webhooks/create", name="CI", url=URL, idempotencyKey=wrong)
        assert [fault["field"] for fault in faulty["fields"]] == ["idempotencyKey"]
    answer = await owner.ask("{ workspace { webhooks { id } } }")
    assert answer["workspace"]["webhooks"] == [{"id": first["webhook"]["id"]}]


async def test_the_list_has_what_was_made_and_the_events_that_there_are(owner: Client, team: Team) -> None:
    for name in ("first", "second"):
        await owner.change("webhooks/create", name=name, url=URL)
    answer = await owner.ask("{ workspace { webhooks { name events } } webhookEvents { name description } }")
    assert answer["workspace"]["webhooks"] == [{"name": "first", "events": []}, {"name": "second", "events": []}]
    assert {each["name"]: each["description"] for each in answer["webhookEvents"]} == {
        name: event.published for name, event in PUBLISHED.items()
    }


async def test_a_management_key_makes_a_webhook_and_sees_no_secret(team: Team) -> None:
    key = await program(team.owner, team.slug, Scope.WORKSPACE_WRITE)
    made = await key.change("webhooks/create", name="CI", url=URL)
    assert made["secret"] is None
    assert (await key.change("webhooks/rotate-secret", id=made["webhook"]["id"]))["code"] == "NOT_ALLOWED"
    chat = (await key.change("webhooks/create", name="Chat", kind="SLACK", url="https://hooks.slack.example/services/secret"))[
        "webhook"
    ]
    assert chat["url"] == "https://hooks.slack.example/…"


async def test_what_cannot_be_is_refused_at_its_field(owner: Client, team: Team) -> None:
    for field, given in (("url", {"url": "http://169.254.169.254/"}), ("events", {"events": ["x"]}), ("name", {"name": " "})):
        refused = await owner.change("webhooks/create", **({"name": "CI", "url": URL} | given))
        assert [fault["field"] for fault in refused["fields"]] == [field]
    made = (await owner.change("webhooks/create", name="CI", url=URL))["webhook"]
    for name in ("name", "url", "events", "enabled"):
        refused = await owner.change("webhooks/update", id=made["id"], **{name: None})
        assert [fault["field"] for fault in refused["fields"]] == [name]
