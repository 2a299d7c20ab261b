"""Delivery: what is sent to whom, signed, repeated, given up, and at least once with one id."""

from __future__ import annotations

import asyncio
import json
import random
from typing import Any

import pytest

from app import database
from app.access.actor import Role
from app.alerts import service as alerts
from app.audit import service as audit
from app.clock import DAY, HOUR, MINUTE, SECOND
from app.keys import service as keys
from app.keys.key import Reason
from app.members import service as members
from app.rotations import service as rotations
from app.tenancy import service as tenancy
from app.webhooks import dispatch, webhook
from app.webhooks import service as webhooks
from app.webhooks.validation import PUBLISHED
from app.webhooks.webhook import PATIENCE, PAUSES, Disabled, Kind, State, pause
from tests.conftest import Team, make_key
from tests.support.access import seen
from tests.support.outbox import send_mails
from tests.support.receiver import Receiver, answer
from tests.support.smtp import Smtp
from tests.webhooks.conftest import deliver, log, make, now_of


async def test_a_change_arrives_signed_and_the_package_of_the_specification_verifies_it(team: Team, receiver: Receiver) -> None:
    made = await make(team, receiver)
    key = (await make_key(team, "Production server")).key
    await deliver()
    (got,) = receiver.received
    assert made.secret
    content = got.verified(made.secret)
    (entry,) = await audit.about(await seen(team.owner, team.slug), key.id)
    assert content == {
        "type": "key.created",
        "timestamp": content["timestamp"],
        "data": {
            "workspace": {"id": team.workspace.id, "slug": team.slug, "name": team.workspace.name},
            "actor": {"kind": "USER", "id": team.owner.id, "name": team.owner.name},
            "target": key.id,
            "summary": "Created the API key Production server",
            "detail": json.loads(json.dumps(entry.detail)),
        },
    }
    assert got.id.startswith("msg_") and got.headers["content-type"] == "application/json"
    (delivery,) = await log(team, made.webhook)
    assert (delivery.state, delivery.status_code, delivery.response, delivery.attempts) == (State.DELIVERED, 200, "ok", 1)
    assert delivery.message_id == got.id
    await deliver()
    assert len(receiver.received) == 1


async def test_every_event_is_sent_to_those_who_chose_it_and_to_no_other_workspace(
    team: Team, other_team: Team, receiver: Receiver
) -> None:
    everything, some = (await make(team, receiver)).webhook, (await make(team, receiver, "key.revoked")).webhook
    theirs = (await make(other_team, receiver)).webhook
    key = (await make_key(team)).key
    await keys.suspend(team.owner, key.id)
    await keys.resume(team.owner, key.id)
    await keys.update(team.owner, key.id, {"name": "Another"})
    await keys.revoke(team.owner, key.id, Reason.NO_LONGER_NEEDED)
    await deliver()
    types = ["key.created", "key.suspended", "key.resumed", "key.updated", "key.revoked"]
    assert sorted(each.type for each in await log(team, everything)) == sorted(types)
    assert [each.type for each in await log(team, some)] == ["key.revoked"]
    assert await log(other_team, theirs) == []
    ids = {(each.content["type"], each.id) for each in receiver.received}
    assert len(ids) == 5 and len(receiver.received) == 6, "a message has one id for all webhooks"


async def test_nothing_is_sent_of_a_change_that_was_not_committed(team: Team, receiver: Receiver) -> None:
    await make(team, receiver)
    with pytest.raises(ZeroDivisionError):
        async with database.transaction():
            await make_key(team)
            raise ZeroDivisionError
    await deliver()
    assert receiver.received == []


async def test_alerts_rotations_members_and_expiry_are_events_too(team: Team, receiver: Receiver) -> None:
    now = 1_793_000_000_000_000
    database.freeze(now)
    await make(team, receiver)
    visitor = (await make_key(team, "Visitor", environment="development", expires_at=now + 12 * HOUR)).key
    old = (await make_key(team, "Old")).key
    started = await rotations.start(team.owner, old.id)
    await rotations.cancel(team.owner, started.progress.rotation.id, force=True)
    await members.invite(team.owner, team.slug, "new@example.org", Role.EDITOR)
    await alerts.run(now)
    await keys.revoke(team.owner, visitor.id, Reason.OTHER)
    await alerts.run(now + MINUTE)
    await deliver()
    by_type = {each.content["type"]: each.content["data"] for each in receiver.received}
    assert {"key.created", "rotation.started", "rotation.cancelled", "member.invited", "alert.raised", "key.expiring",
            "key.revoked", "alert.resolved"} == by_type.keys()  # fmt: skip
    assert by_type["key.expiring"]["target"] == by_type["alert.raised"]["target"] == visitor.id
    assert by_type["alert.raised"]["detail"]["kind"] == by_type["alert.resolved"]["detail"]["kind"] == "EXPIRY"
    assert by_type["member.invited"]["summary"] == "Invited new@example.org as editor"
    assert by_type.keys() <= PUBLISHED.keys()


async def test_no_secret_is_in_any_message(team: Team, receiver: Receiver) -> None:
    await make(team, receiver)
    made = await make_key(team)
    begun = await rotations.start(team.owner, made.key.id)
    _, link = await members.invite(team.owner, team.slug, "new@example.org", Role.EDITOR)
    await deliver()
    sent = b"".join(each.body for each in receiver.received).decode()
    assert made.secret and begun.secret
    for secret in (made.secret, begun.secret, link.rpartition("/")[2], made.secret[12:36]):
        assert secret not in sent


async def test_a_failed_delivery_is_repeated_by_the_schedule_with_the_same_id_and_then_given_up(
    team: Team, receiver: Receiver
) -> None:
    made = await make(team, receiver)
    receiver.always = answer(500, b"out of order")
    now = await database.now()
    database.freeze(now)
    await webhooks.send_test(team.owner, made.webhook.id)
    for number, planned in enumerate(PAUSES, 1):
        await deliver()
        (delivery,) = await log(team, made.webhook)
        assert (delivery.state, delivery.status_code, delivery.response) == (State.PENDING, 500, "out of order")
        assert len(receiver.received) == number and delivery.attempts == number
        assert delivery.due_at and planned <= delivery.due_at - now <= planned * (1 + webhook.JITTER)
        database.freeze(delivery.due_at - 1)
        await deliver()
        assert len(receiver.received) == number
        now = delivery.due_at
        database.freeze(now)
    await deliver()
    (delivery,) = await log(team, made.webhook)
    assert (delivery.state, delivery.due_at, delivery.attempts) == (State.FAILED, None, len(PAUSES) + 1)
    assert len({each.id for each in receiver.received}) == 1
    stamps = [int(each.headers["webhook-timestamp"]) for each in receiver.received]
    assert stamps == sorted(set(stamps)) and stamps[-1] == now // SECOND, "each attempt is signed at its own time"
    receiver.always = answer(200)
    await webhooks.redeliver(team.owner, delivery.id)
    await deliver()
    (delivery,) = await log(team, made.webhook)
    assert (delivery.state, delivery.attempts) == (State.DELIVERED, len(PAUSES) + 2)
    assert len({each.id for each in receiver.received}) == 1


def test_the_schedule_lasts_three_days_and_a_receiver_may_ask_for_a_longer_pause() -> None:
    assert 3 * DAY < sum(PAUSES) < 4 * DAY
    assert [pause(0, chance) for chance in (0.0, 1.0)] == [5 * SECOND, 6 * SECOND]
    assert pause(0, 0, 120) == 2 * MINUTE and pause(0, 0, 10**6) == DAY and pause(3, 0, 1) == PAUSES[3]
    assert pause(len(PAUSES), 0) is None and pause(len(PAUSES), 0, 60) is None
    assert len({pause(1, random.random()) for _ in range(50)}) > 40


async def test_a_webhook_that_fails_for_five_days_is_disabled_and_the_owners_get_a_mail(
    team: Team, receiver: Receiver, smtp: Smtp
) -> None:
    made = await make(team, receiver)
    receiver.always = answer(503)
    began = await database.now()
    database.freeze(began)
    for day in range(6):
        database.freeze(began + day * DAY)
        await webhooks.send_test(team.owner, made.webhook.id)
        await deliver()
        if day < 5:
            assert (await now_of(team, made.webhook)).disabled_at is None
    present = await now_of(team, made.webhook)
    assert (present.disabled_because, present.disabled_at) == (Disabled.FAILING, began + PATIENCE)
    await send_mails()
    (letter,) = smtp.received
    assert smtp.recipients == ["owner@acme.example"] and letter["Subject"] == "Acme: the webhook CI was disabled"
    assert f"https://keys.example.com/w/acme/settings/webhooks/{present.id}" in letter.get_content()
    assert {each.state for each in await log(team, present)} == {State.FAILED}
    entry = (await audit.about(await seen(team.owner, team.slug), present.id))[0]
    assert (entry.action, entry.actor.id, entry.detail["because"]) == ("webhook.disabled", "system", "FAILING")
    await make_key(team)
    assert await database.fetch("SELECT id FROM outbox WHERE kind = 'event'") == []


async def test_one_success_forgets_the_failures_before(team: Team, receiver: Receiver) -> None:
    made = await make(team, receiver)
    began = await database.now()
    for day, status in ((0, 500), (4, 200), (6, 500), (10, 500)):
        database.freeze(began + day * DAY)
        receiver.always = answer(status)
        await webhooks.send_test(team.owner, made.webhook.id)
        await deliver()
    present = await now_of(team, made.webhook)
    assert present.disabled_at is None and present.failing_since == began + 6 * DAY


async def test_a_receiver_that_is_gone_disables_its_webhook_at_once(team: Team, receiver: Receiver) -> None:
    made = await make(team, receiver)
    receiver.always = answer(410)
    await webhooks.send_test(team.owner, made.webhook.id)
    await deliver()
    assert (await now_of(team, made.webhook)).disabled_because is Disabled.GONE


async def test_a_redirect_is_a_failure(team: Team, receiver: Receiver) -> None:
    made = await make(team, receiver)
    receiver.always = answer(307, b"", f"Location: {receiver.url}2")
    await webhooks.send_test(team.owner, made.webhook.id)
    await deliver()
    (delivery,) = await log(team, made.webhook)
    assert (delivery.state, delivery.status_code, len(receiver.received)) == (State.PENDING, 307, 1)


async def test_an_address_that_is_not_allowed_any_more_gets_nothing_and_the_log_says_why(
    team: Team, receiver: Receiver, opened: None
) -> None:
    made = await make(team, receiver)
    await webhooks.send_test(team.owner, made.webhook.id)
    sender = dispatch.sender()
    sender.rules = webhook_rules()
    await deliver()
    (delivery,) = await log(team, made.webhook)
    assert receiver.received == [] and delivery.status_code is None
    assert delivery.failure is not None and delivery.failure.startswith("The address of this host is not a public one.")


def webhook_rules() -> Any:
    from app.outgoing.url import Rules

    return Rules(plain=True)


async def test_a_message_whose_outcome_could_not_be_stored_is_sent_again_with_the_same_id(
    team: Team, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await make(team, receiver)
    await make_key(team)

    async def gone(*args: object) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patched:
        patched.setattr(dispatch, "_note", gone)
        await deliver_once(receiver)
    await deliver()
    assert len(receiver.received) >= 2 and len({each.id for each in receiver.received}) == 1
    (delivery,) = await log(team, made.webhook)
    assert delivery.state is State.DELIVERED


async def deliver_once(receiver: Receiver) -> None:
    """A run of the job that is ended after the first message was received."""
    running = asyncio.create_task(deliver())
    await receiver.until(1)
    running.cancel()
    await asyncio.wait({running})


async def test_a_slow_receiver_keeps_no_other_from_its_messages(team: Team, other_team: Team, receiver: Receiver) -> None:
    slow = (await make(team, receiver)).webhook
    for _ in range(30):
        await webhooks.send_test(team.owner, slow.id)
    async with Receiver.running() as quick:
        await make(other_team, quick)
        receiver.open.clear()
        await make_key(other_team)
        running = asyncio.create_task(deliver())
        await quick.until(1)
        assert len(receiver.received) <= dispatch.PER_WEBHOOK
        receiver.open.set()
        await running
    assert len(receiver.received) == 30 and {each.state for each in await log(team, slow)} == {State.DELIVERED}


async def test_two_nodes_that_run_the_job_at_once_store_one_outcome(team: Team, receiver: Receiver) -> None:
    made = await make(team, receiver)
    for number in range(5):
        await make_key(team, f"Key {number}")
    await asyncio.gather(*(deliver() for _ in range(3)))
    deliveries = await log(team, made.webhook)
    assert len(deliveries) == 5 and {(each.state, each.attempts) for each in deliveries} == {(State.DELIVERED, 1)}


async def test_slack_and_teams_get_a_text_in_their_form_without_mentions_or_links_of_a_name(team: Team, receiver: Receiver) -> None:
    for kind in (Kind.SLACK, Kind.TEAMS):
        await make(team, receiver, kind=kind, name=str(kind))
    await make_key(team, "<!channel> [x](https://evil.example)")
    await deliver()
    sent = [each.content for each in receiver.received]
    (slack,) = [each for each in sent if "blocks" in each]
    (teams,) = [each for each in sent if each.get("type") == "message"]
    assert slack["text"].startswith("Acme: Created the API key &lt;!channel&gt;") and "<!" not in json.dumps(slack)
    card = teams["attachments"][0]
    assert card["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert card["content"]["body"][1]["text"].startswith(r"Created the API key \<\!channel\> \[x\]\(https")
    assert card["content"]["actions"][0]["url"].endswith("/w/acme")
    assert all("webhook-signature" not in each.headers for each in receiver.received)


async def test_the_response_in_the_log_is_a_line_without_control_characters_or_keys(team: Team, receiver: Receiver) -> None:
    made = await make(team, receiver)
    secret = (await make_key(team)).secret
    assert secret
    receiver.always = answer(200, f"a\r\n\x1b[31m\x00 {secret} ".encode() + b"\xff" + b"x" * 2_000)
    await deliver()
    (delivery,) = await log(team, made.webhook)
    assert delivery.response and len(delivery.response) == 500 and delivery.response.isprintable()
    assert secret not in delivery.response


async def test_an_endpoint_gets_nothing_that_happened_before_it_was_made(team: Team, receiver: Receiver) -> None:
    await make(team, receiver, "member.joined")
    await make_key(team)
    await make(team, receiver)
    await deliver()
    assert receiver.received == []


async def test_an_error_of_ours_is_a_failed_attempt_and_not_repeated_without_a_pause(
    team: Team, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await make(team, receiver)
    await webhooks.send_test(team.owner, made.webhook.id)

    def broken(*args: object) -> bytes:
        raise RuntimeError("an error of ours")

    monkeypatch.setattr("app.webhooks.sender.body_for", broken)
    await deliver()
    (delivery,) = await log(team, made.webhook)
    assert (delivery.state, delivery.attempts, delivery.failure) == (State.PENDING, 1, "Keydesk could not send this.")


async def test_a_publication_outside_a_workspace_is_none(team: Team, receiver: Receiver) -> None:
    await make(team, receiver)
    from app.access.actor import Actor
    from app.keys.events import CREATED
    from app.tenancy.publication import publish

    async with tenancy.changing_installation(Actor.system()) as change:
        await publish(change, CREATED, "x")
    assert await database.fetch("SELECT id FROM outbox WHERE kind = 'event'") == []
