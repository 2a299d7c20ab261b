"""Webhooks in the dashboard: creating, the secret shown once, the delivery log, sending again, disabling, deleting."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from app import database, runtime
from app.paging import Window
from app.settings import Settings
from app.tenancy import service as tenancy
from app.webhooks import dispatch
from app.webhooks import service as webhooks
from app.webhooks.sender import Sender
from app.webhooks.validation import WebhookInput
from app.webhooks.webhook import MOST_WEBHOOKS, Kind, Webhook
from tests.conftest import Team, make_key
from tests.support.receiver import Receiver, answer
from tests.web.conftest import Browser, later
from tests.webhooks.conftest import LOOPBACK

LIST = "/w/acme/settings/webhooks"
SLACK = "https://hooks.slack.example/services/T0/B0/the-secret-of-slack"

POLLS = 'hx-trigger="every 2s"'


@pytest.fixture
async def receiver(settings: Settings, db: None) -> AsyncIterator[Receiver]:
    async with Receiver.running() as found:
        with runtime.replaced(Sender(replace(settings, webhook_networks=LOOPBACK))):
            yield found


async def made(team: Team, url: str = "https://hooks.example.com/x", kind: Kind = Kind.STANDARD) -> Webhook:
    return (await webhooks.create(team.owner, team.slug, WebhookInput("CI", kind, url))).webhook


async def all_of(team: Team) -> list[Webhook]:
    return await webhooks.webhooks(await tenancy.seen(team.owner, team.slug))


async def deliver() -> None:
    await dispatch.run(await database.now())


async def test_a_webhook_is_created_and_its_secret_is_shown_once(owner: Browser, team: Team, receiver: Receiver) -> None:
    await owner.open(LIST)
    assert "No webhooks yet" in owner.page and "API keys" in owner.page
    await owner.open(f"{LIST}/new")
    fields = {"name": "Pipeline", "kind": "STANDARD", "url": receiver.url, "events": ["key.created", "key.revoked"]}
    answered = await owner.send(f"{LIST}/new", **fields)
    (secret,) = re.findall(r"whsec_[A-Za-z0-9+/=]+", owner.page)
    assert answered.status_code == 201 and answered.headers["cache-control"] == "no-store"
    (webhook,) = await all_of(team)
    assert (webhook.name, webhook.events) == ("Pipeline", ("key.created", "key.revoked"))
    for path in (LIST, f"{LIST}/{webhook.id}", f"{LIST}/{webhook.id}/edit"):
        assert (await owner.open(path)).status_code == 200 and secret not in owner.page and "Pipeline" in owner.page
    await make_key(team)
    await deliver()
    assert receiver.received[0].verified(secret)["type"] == "key.created"


async def test_a_form_sent_twice_makes_one_webhook(owner: Browser, team: Team) -> None:
    await owner.open(f"{LIST}/new")
    form = owner.form(f"{LIST}/new").filled(name="CI", kind="STANDARD", url="https://hooks.example.com/x")
    first = await owner.post(f"{LIST}/new", form, **owner.same_origin_headers)
    second = await owner.post(f"{LIST}/new", form, **owner.same_origin_headers)
    assert (first.status_code, second.status_code) == (201, 303) and len(await all_of(team)) == 1
    await owner.follow()
    assert "was created once" in owner.page and "whsec_" not in owner.page


async def test_a_refused_form_keeps_what_was_typed(owner: Browser, team: Team) -> None:
    await owner.open(f"{LIST}/new")
    fields = {"name": "CI", "kind": "TEAMS", "url": "https://127.0.0.1/x", "events": ["member.joined"]}
    assert (await owner.send(f"{LIST}/new", **fields)).status_code == 422
    assert "not a public one. The operator can allow it: KEYDESK_WEBHOOK_NETWORKS." in owner.page
    assert await all_of(team) == []
    kept = dict(owner.form(f"{LIST}/new").values)
    assert (kept["name"], kept["kind"], kept["url"], kept["events"]) == ("CI", "TEAMS", "https://127.0.0.1/x", "member.joined")
    for _ in range(MOST_WEBHOOKS):
        await made(team)
    assert (await owner.send(f"{LIST}/new", url="https://hooks.example.com/x")).status_code == 409
    assert "Delete one first" in owner.page
    await owner.open(LIST)
    assert f'href="{LIST}/new"' not in owner.page


async def test_the_log_shows_what_came_of_each_message_and_sends_it_again(owner: Browser, team: Team, receiver: Receiver) -> None:
    webhook = await made(team, receiver.url)
    address = f"{LIST}/{webhook.id}"
    receiver.answers = [answer(500, b"<script>out of order</script>")]
    await owner.open(address)
    assert "No messages yet" in owner.page
    assert (await owner.send(f"{address}/tests")).status_code == 303
    await owner.follow()
    assert "Waiting" in owner.page and POLLS in owner.page
    await deliver()
    await owner.open(f"{address}?poll", **{"hx-request": "true", "hx-target": "div#deliveries"})
    assert "Retrying" in owner.page and owner.page.lstrip().startswith('<div class="stack" id="deliveries"')
    await owner.open(address)
    assert "Retrying" in owner.page and "500 in " in owner.page and "&lt;script&gt;out of order" in owner.page
    assert "No message has arrived since" in owner.page
    (delivery,) = (await webhooks.deliveries(await tenancy.seen(team.owner, team.slug), webhook, Window(9))).items
    await owner.send(f"{address}/deliveries/{delivery.id}/repetition")
    await deliver()
    await owner.follow()
    assert "Delivered" in owner.page and "200 in " in owner.page and "No message has arrived" not in owner.page
    assert POLLS not in owner.page
    assert [each.id for each in receiver.received] == [delivery.message_id] * 2


async def test_the_log_has_pages(owner: Browser, team: Team, receiver: Receiver) -> None:
    webhook = await made(team, receiver.url)
    for _ in range(30):
        await webhooks.send_test(team.owner, webhook.id)
    await owner.open(f"{LIST}/{webhook.id}")
    assert owner.page.count("webhook.test</code>") == 25
    (older,) = re.findall(r'rel="next" href="([^"]+)"', owner.page)
    await owner.open(older)
    assert owner.page.count("webhook.test</code>") == 5
    (newer,) = re.findall(r'rel="prev" href="([^"]+)"', owner.page)
    await owner.open(newer)
    assert owner.page.count("webhook.test</code>") == 25
    for nonsense in ("?after=x", "?before=1", "?after=99999999999999999999-x", "?after=٣-x"):
        assert (await owner.open(f"{LIST}/{webhook.id}{nonsense}")).status_code == 200


async def test_editing_disabling_enabling_rotating_and_deleting(owner: Browser, team: Team) -> None:
    webhook = await made(team)
    address = f"{LIST}/{webhook.id}"
    await owner.open(f"{address}/edit")
    await owner.send(f"{address}/edit", name="Other", url="https://hooks.example.com/y", events=["plan.changed"])
    await owner.follow()
    assert "The webhook is changed." in owner.page and "https://hooks.example.com/y" in owner.page and "plan.changed" in owner.page
    await owner.send(f"{address}/activation")
    await owner.follow()
    assert (
        "The webhook is disabled. Nothing is sent" in owner.page
        and ">Enable webhook<" in owner.page
        and f"{address}/tests" not in owner.page
    )
    await owner.send(f"{address}/activation")
    await owner.follow()
    assert "The webhook is enabled. Events from now on" in owner.page
    form = owner.form(f"{address}/secret").values
    assert (await owner.post(f"{address}/secret", form, **owner.same_origin_headers)).status_code == 201
    assert "whsec_" in owner.page and "also signed with the previous secret" in owner.page
    assert (await owner.post(f"{address}/secret", form, **owner.same_origin_headers)).status_code == 303
    await owner.follow()
    assert "rotated once" in owner.page and "whsec_" not in owner.page
    await owner.open(f"{address}/deletion")
    await owner.send(f"{address}/deletion")
    await owner.follow()
    assert "is deleted" in owner.page and await all_of(team) == []
    assert (await owner.open(address)).status_code == 404


async def test_of_a_chats_url_only_the_host_is_shown_and_an_empty_field_keeps_it(owner: Browser, team: Team) -> None:
    webhook = await made(team, SLACK, Kind.SLACK)
    address = f"{LIST}/{webhook.id}"
    for path in (LIST, address, f"{address}/edit", "/w/acme/settings/audit-log"):
        await owner.open(path)
        assert "the-secret-of-slack" not in owner.page
    await owner.open(f"{address}/edit")
    await owner.send(f"{address}/edit", name="Channel", url="")
    (found,) = await all_of(team)
    assert (found.name, found.url) == ("Channel", "https://hooks.slack.example/…")
    await owner.open(address)
    assert "Rotate secret" not in owner.page


async def test_creating_needs_a_recent_password(owner: Browser, team: Team) -> None:
    await owner.open(f"{LIST}/new")
    await later(11)
    answered = await owner.send(f"{LIST}/new", name="CI", kind="STANDARD", url="https://hooks.example.com/x")
    assert answered.status_code == 403 and "confirmPassword" in owner.page and await all_of(team) == []


async def test_others_neither_see_nor_reach_webhooks(editor: Browser, viewer: Browser, team: Team, other_team: Team) -> None:
    webhook = await made(team)
    theirs = (
        await webhooks.create(other_team.owner, other_team.slug, WebhookInput("CI", Kind.STANDARD, "https://x.example"))
    ).webhook
    for browser in (editor, viewer):
        await browser.open("/w/acme")
        assert LIST not in browser.page
        for path in (LIST, f"{LIST}/new", f"{LIST}/{webhook.id}", f"{LIST}/{webhook.id}/deletion"):
            assert (await browser.open(path)).status_code == 403
    for path in (f"/w/rival/settings/webhooks/{theirs.id}", f"{LIST}/{theirs.id}"):
        assert (await editor.open(path)).status_code in (403, 404)
