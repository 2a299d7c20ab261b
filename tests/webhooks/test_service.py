"""Use cases of webhooks: who may do what, what is stored, and what is never shown."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from app import database, runtime
from app.access.actor import Actor, ActorKind, Scope
from app.audit import service as audit
from app.clock import DAY, MINUTE, SECOND
from app.errors import ConfirmationNeeded, Conflict, NotAllowed, NotFound, ValidationFailed
from app.keys.idempotency import IDEMPOTENCY_LASTS
from app.peppers.pepper import Pepper, Peppers
from app.settings import Settings
from app.webhooks import delivery_store, store
from app.webhooks import service as webhooks
from app.webhooks.sender import Sender
from app.webhooks.validation import PUBLISHED, WebhookInput
from app.webhooks.webhook import MOST_WEBHOOKS, OVERLAP, Disabled, Kind, State
from app.workspaces import service as workspaces
from tests.conftest import Team, make_key
from tests.support.access import seen
from tests.support.receiver import Receiver
from tests.webhooks.conftest import deliver, log, make, now_of

SLACK = "https://hooks.slack.example/services/T0/B0/the-secret-of-slack"
INPUT = WebhookInput("CI", Kind.STANDARD, "https://hooks.example.com/x")


def program(team: Team, *scopes: Scope) -> Actor:
    return Actor(
        ActorKind.MANAGEMENT_KEY, "mgk_x", "CI", user_id=team.owner.id, workspace_id=team.workspace.id, scopes=frozenset(scopes)
    )


async def outbox() -> int:
    return len(await database.fetch("SELECT id FROM outbox WHERE kind = 'event'"))


async def test_only_owners_and_their_programs_manage_and_read_webhooks(team: Team, other_team: Team, receiver: Receiver) -> None:
    made = (await make(team, receiver)).webhook
    for actor in (team.editor, team.viewer, program(team, Scope.KEYS_WRITE), program(team, Scope.WORKSPACE_READ)):
        for attempt in (
            webhooks.create(actor, team.slug, INPUT),
            webhooks.update(actor, made.id, name="X"),
            webhooks.delete(actor, made.id),
            webhooks.rotate_secret(actor, made.id),
            webhooks.send_test(actor, made.id),
        ):
            with pytest.raises(NotAllowed):
                await attempt
    for actor in (team.editor, team.viewer):
        with pytest.raises(NotAllowed):
            await webhooks.get(actor, made.id)
        with pytest.raises(NotAllowed):
            await webhooks.webhooks(await seen(actor, team.slug))
    for attempt in (webhooks.get(other_team.owner, made.id), webhooks.delete(other_team.owner, made.id)):
        with pytest.raises(NotFound):
            await attempt
    assert (await webhooks.get(program(team, Scope.WORKSPACE_READ), made.id)).id == made.id
    assert await webhooks.webhooks(await seen(team.owner, team.slug)) == [made]


async def test_a_program_creates_a_webhook_and_never_sees_its_secret(team: Team, receiver: Receiver) -> None:
    actor = program(team, Scope.WORKSPACE_WRITE)
    made = await webhooks.create(actor, team.slug, INPUT)
    assert made.secret is None and made.webhook.created_by_name == "CI"
    with pytest.raises(NotAllowed):
        await webhooks.rotate_secret(actor, made.webhook.id)
    assert (await webhooks.rotate_secret(team.owner, made.webhook.id)).secret


async def test_a_session_without_a_recent_password_creates_changes_and_rotates_nothing(team: Team, receiver: Receiver) -> None:
    made = (await make(team, receiver)).webhook
    old = replace(team.owner, authenticated_at=await database.now() - 11 * MINUTE)
    for attempt in (
        webhooks.create(old, team.slug, INPUT),
        webhooks.update(old, made.id, url="https://elsewhere.example"),
        webhooks.rotate_secret(old, made.id),
    ):
        with pytest.raises(ConfirmationNeeded):
            await attempt


async def test_secrets_and_the_urls_of_chats_are_unreadable_at_rest_and_never_shown(team: Team, receiver: Receiver) -> None:
    made = await make(team, receiver)
    chat = (await webhooks.create(team.owner, team.slug, WebhookInput("Chat", Kind.SLACK, SLACK))).webhook
    renewed = await webhooks.rotate_secret(team.owner, made.webhook.id)
    chat = await webhooks.update(team.owner, chat.id, url=SLACK + "2")
    assert chat.url == "https://hooks.slack.example/…"
    assert made.secret and renewed.secret and made.secret != renewed.secret
    entries = await audit.page(await seen(team.owner, team.slug), limit=50)
    rows = [await database.fetch(f"SELECT * FROM {table}") for table in ("webhook", "webhook_delivery", "outbox")]
    shown = str([rows, entries, made, renewed, chat, await webhooks.webhooks(await seen(team.owner, team.slug))])
    for secret in (made.secret, renewed.secret, made.secret[6:30], "the-secret-of-slack"):
        assert secret not in shown
    assert [entry.action for entry in entries] == [
        "webhook.updated", "webhook.secret_rotated", "webhook.created", "webhook.created",
    ]  # fmt: skip


async def test_after_a_change_of_the_pepper_webhooks_are_sealed_by_the_new_one(team: Team, receiver: Receiver) -> None:
    made = await make(team, receiver)
    before, new = runtime.current(Peppers), Pepper(99, b"the next pepper, which has 32 bytes too")
    with runtime.replaced(Peppers(new, before.current)):
        async with database.transaction():
            await store.reseal()
    with runtime.replaced(Peppers(new)):
        found = await store.with_credentials(made.webhook.id)
        assert found and found[1].secret == made.secret and found[1].url == receiver.url
        async with database.transaction():
            with runtime.replaced(Peppers(before.current, new)):
                await store.reseal()


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"url": ""}, "url"),
        ({"url": "https://127.0.0.1/"}, "url"),
        ({"url": "https://169.254.169.254/latest/meta-data"}, "url"),
        ({"url": "gopher://example.com"}, "url"),
        ({"events": ("key.created", "no.such")}, "events"),
        ({"events": ("webhook.created",)}, "events"),
    ],
)
async def test_invalid_input_is_refused_at_its_field(team: Team, changed: dict[str, object], field: str) -> None:
    with pytest.raises(ValidationFailed) as problem:
        await webhooks.create(team.owner, team.slug, replace(INPUT, **changed))  # type: ignore[arg-type]
    assert [fault.field for fault in problem.value.fields] == [field]
    assert await database.fetch("SELECT * FROM webhook") == []


async def test_outside_development_only_https_is_accepted(team: Team, settings: Settings) -> None:
    with runtime.replaced(Sender(replace(settings, dev=False))):
        for url in ("http://hooks.example.com/", "https://hooks.example.com:8080/"):
            with pytest.raises(ValidationFailed):
                await webhooks.create(team.owner, team.slug, replace(INPUT, url=url))
        await webhooks.create(team.owner, team.slug, INPUT)


async def test_the_same_idempotency_key_creates_one_webhook_and_shows_its_secret_once(team: Team) -> None:
    first = await webhooks.create(team.owner, team.slug, INPUT, idempotency_key="deploy-7")
    again = await webhooks.create(team.owner, team.slug, replace(INPUT, name=f" {INPUT.name} "), idempotency_key="deploy-7")
    assert first.secret is not None and not first.repeated
    assert (again.webhook, again.secret, again.repeated) == (first.webhook, None, True)
    for other in (
        replace(INPUT, name="Else"),
        replace(INPUT, url="https://hooks.example.com/else"),
        replace(INPUT, events=("key.revoked",)),
    ):
        with pytest.raises(Conflict, match="another input"):
            await webhooks.create(team.owner, team.slug, other, idempotency_key="deploy-7")
    with pytest.raises(ValidationFailed):
        await webhooks.create(team.owner, team.slug, INPUT, idempotency_key="")
    assert len(await webhooks.webhooks(await seen(team.owner, team.slug))) == 1
    database.freeze(await database.now() + IDEMPOTENCY_LASTS + SECOND)
    assert (await webhooks.create(team.owner, team.slug, INPUT, idempotency_key="deploy-7")).secret is not None


async def test_an_idempotency_key_does_not_bring_a_deleted_webhook_back(team: Team) -> None:
    made = await webhooks.create(team.owner, team.slug, INPUT, idempotency_key="deploy-7")
    await webhooks.delete(team.owner, made.webhook.id)
    with pytest.raises(Conflict, match="deleted since"):
        await webhooks.create(team.owner, team.slug, INPUT, idempotency_key="deploy-7")
    assert await webhooks.webhooks(await seen(team.owner, team.slug)) == []


async def test_fifty_repeats_at_once_create_one_webhook_and_return_one_secret(team: Team) -> None:
    found = await asyncio.gather(*(webhooks.create(team.owner, team.slug, INPUT, idempotency_key="deploy-7") for _ in range(50)))
    assert len({each.webhook.id for each in found}) == len([each for each in found if each.secret]) == 1
    access = await seen(team.owner, team.slug)
    assert [webhook.id for webhook in await webhooks.webhooks(access)] == [found[0].webhook.id]
    assert [entry.action for entry in await audit.about(access, found[0].webhook.id)] == ["webhook.created"]


async def test_a_workspace_has_so_many_webhooks(team: Team, receiver: Receiver) -> None:
    for number in range(MOST_WEBHOOKS):
        await webhooks.create(team.owner, team.slug, replace(INPUT, name=f"N {number}"))
    with pytest.raises(Conflict):
        await webhooks.create(team.owner, team.slug, INPUT)


async def test_without_an_enabled_webhook_nothing_is_written_to_the_outbox(team: Team, receiver: Receiver) -> None:
    await make_key(team, "One")
    assert await outbox() == 0
    made = (await make(team, receiver)).webhook
    await make_key(team, "Two")
    assert await outbox() == 1
    await webhooks.update(team.owner, made.id, enabled=False)
    await make_key(team, "Three")
    assert await outbox() == 1
    await webhooks.update(team.owner, made.id, enabled=True)
    await webhooks.delete(team.owner, made.id)
    await make_key(team, "Four")
    assert await outbox() == 1


async def test_an_edit_changes_what_is_given_and_is_recorded_with_before_and_after(team: Team, receiver: Receiver) -> None:
    made = (await make(team, receiver, "key.created")).webhook
    same = await webhooks.update(team.owner, made.id, name=made.name, url=made.url, chosen=["key.created"], enabled=True)
    assert same == made and len(await audit.about(await seen(team.owner, team.slug), made.id)) == 1
    edited = await webhooks.update(team.owner, made.id, name="Other", chosen=["member.joined", "key.revoked"])
    assert (edited.name, edited.events) == ("Other", ("key.revoked", "member.joined"))
    (entry, _) = await audit.about(await seen(team.owner, team.slug), made.id)
    assert entry.detail == {
        "name": {"before": "CI", "after": "Other"},
        "events": {"before": ["key.created"], "after": ["key.revoked", "member.joined"]},
    }
    assert await now_of(team, made) == edited


async def test_a_disabled_webhook_gives_up_what_is_pending_and_takes_no_test(team: Team, receiver: Receiver) -> None:
    made = (await make(team, receiver)).webhook
    await webhooks.send_test(team.owner, made.id)
    disabled = await webhooks.update(team.owner, made.id, enabled=False)
    assert disabled.disabled_because is Disabled.BY_OWNER
    (given_up,) = await log(team, made)
    assert given_up.state is State.FAILED and given_up.due_at is None
    await deliver()
    assert receiver.received == []
    for attempt in (webhooks.send_test(team.owner, made.id), webhooks.redeliver(team.owner, given_up.id)):
        with pytest.raises(Conflict):
            await attempt
    enabled = await webhooks.update(team.owner, made.id, enabled=True)
    assert enabled.disabled_at is None and enabled.disabled_because is None
    await webhooks.redeliver(team.owner, given_up.id)
    await deliver()
    assert [each.id for each in receiver.received] == [given_up.message_id]


async def test_the_secret_before_a_rotation_signs_for_a_day(team: Team, receiver: Receiver) -> None:
    made = await make(team, receiver)
    renewed = await webhooks.rotate_secret(team.owner, made.webhook.id)
    assert made.secret and renewed.secret
    now = await database.now()
    assert renewed.webhook.previous_until and abs(renewed.webhook.previous_until - now - OVERLAP) < MINUTE
    await webhooks.send_test(team.owner, made.webhook.id)
    await deliver()
    for secret in (made.secret, renewed.secret):
        assert receiver.received[0].verified(secret)["type"] == "webhook.test"
    database.freeze(now + DAY + MINUTE)
    await webhooks.send_test(team.owner, made.webhook.id)
    await deliver()
    assert len(receiver.received[1].headers["webhook-signature"].split()) == 1
    with pytest.raises(Conflict):
        chat = await webhooks.create(team.owner, team.slug, WebhookInput("Chat", Kind.TEAMS, SLACK))
        await webhooks.rotate_secret(team.owner, chat.webhook.id)


async def test_a_delivery_of_another_workspace_is_not_found(team: Team, other_team: Team, receiver: Receiver) -> None:
    made = (await make(team, receiver)).webhook
    await webhooks.send_test(team.owner, made.id)
    (delivery,) = await log(team, made)
    for attempt in (webhooks.redeliver(other_team.owner, delivery.id), webhooks.get_delivery(other_team.owner, delivery.id)):
        with pytest.raises(NotFound):
            await attempt
    with pytest.raises(NotAllowed):
        await webhooks.get_delivery(team.viewer, delivery.id)
    with pytest.raises(NotFound):
        await webhooks.redeliver(team.owner, "whd_" + "a" * 20)


async def test_in_a_suspended_workspace_a_webhook_can_be_deleted_and_nothing_else(team: Team, receiver: Receiver) -> None:
    made = (await make(team, receiver)).webhook
    await workspaces.suspend(Actor.operator(), team.slug)
    with pytest.raises(NotAllowed):
        await webhooks.update(team.owner, made.id, name="X")
    assert (await now_of(team, made)).name == "CI"
    await webhooks.delete(team.owner, made.id)


async def test_the_log_keeps_the_newest_and_forgets_old_ones(
    team: Team, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = (await make(team, receiver)).webhook
    monkeypatch.setattr(delivery_store, "MOST_KEPT", 3)
    for _ in range(5):
        await webhooks.send_test(team.owner, made.id)
    await deliver()
    now = await database.now()
    kept = [delivery.id for delivery in await log(team, made)][:3]
    async with database.transaction():
        await delivery_store.purge(now)
    assert [delivery.id for delivery in await log(team, made)] == kept
    async with database.transaction():
        await delivery_store.purge(now + delivery_store.KEPT + MINUTE)
    assert await log(team, made) == []


def test_every_published_event_is_one_that_nouns_declare() -> None:
    from app.nouns import EVENTS

    assert {event.name for event in EVENTS.values() if event.published} == PUBLISHED.keys()
