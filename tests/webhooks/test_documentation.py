"""docs/webhooks.md is correct: its table of events, what it says of their details, and its receiver."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from app import database, runtime
from app.access.actor import Actor, Role
from app.alerts import service as alerts
from app.clock import DAY, HOUR, MINUTE
from app.keys import service as keys
from app.keys.key import Reason
from app.members import service as members
from app.plans import service as plans
from app.rotations import announce
from app.rotations import service as rotations
from app.settings import Settings
from app.webhooks import delivery_store
from app.webhooks import service as webhooks
from app.webhooks.sender import Sender
from app.webhooks.validation import PUBLISHED, TEST, WebhookInput
from app.webhooks.webhook import MOST_WEBHOOKS, OVERLAP, PATIENCE, PAUSES, Kind
from tests.conftest import Team, make_key
from tests.support.callers import use
from tests.support.receiver import Receiver
from tests.support.server import free_port
from tests.support.users import PASSWORD, REQUEST, token_of
from tests.webhooks.conftest import LOOPBACK, deliver, make


def page(root: Path) -> str:
    return (root / "docs" / "webhooks.md").read_text()


def rows(root: Path) -> dict[str, list[str]]:
    found = re.findall(r"^\| `([a-z_.]+)` \| (.+?) \| `(\w{3})_…` \| (.+) \|$", page(root), re.M)
    return {name: [meaning, prefix, detail] for name, meaning, prefix, detail in found}


def test_the_table_lists_every_event_with_its_meaning(root: Path) -> None:
    assert {name: row[0] for name, row in rows(root).items()} == {name: event.published for name, event in PUBLISHED.items()}
    assert TEST.name in page(root)


def test_the_figures_are_the_real_ones(root: Path) -> None:
    text = " ".join(page(root).split())
    assert [pause / HOUR for pause in PAUSES[3:]] == [2, 5, 10, 14, 20, 24]
    assert f"at most {MOST_WEBHOOKS}" in text and OVERLAP == 24 * HOUR and PATIENCE == 5 * DAY
    assert f"newest {delivery_store.MOST_KEPT:,}, for {delivery_store.KEPT // DAY} days" in text
    assert f"{delivery_store.MOST_PENDING:,} messages wait" in text


async def happen(team: Team, now: int) -> None:
    """Everything that is an event."""
    key = (await make_key(team, "Production server")).key
    visitor = (await make_key(team, "Visitor", environment="development", expires_at=now + 12 * HOUR)).key
    await keys.suspend(team.owner, key.id)
    await keys.resume(team.owner, key.id)
    changes: dict[str, Any] = {"name": "Renamed", "permissions": ("pdf.read",), "allowed_ips": ("198.51.100.0/24",)}
    await keys.update(team.owner, key.id, changes)
    run = (await rotations.start(team.owner, key.id, idempotency_key="x")).progress
    database.freeze(now + MINUTE)
    run = (await rotations.start(team.owner, key.id, idempotency_key="x", replace_unused=True)).progress
    await rotations.extend(team.owner, run.rotation.id, now + 9 * DAY)
    await use(key.id)
    await use(run.successor.id)
    await announce.announce_states(now + MINUTE)
    (caller,) = (await rotations.get(team.owner, run.rotation.id)).callers
    await rotations.dismiss(team.owner, run.rotation.id, caller.caller.id)
    await rotations.restore(team.owner, run.rotation.id, caller.caller.id)
    await rotations.complete(team.owner, run.rotation.id, force=True)
    other = (await make_key(team, "Other")).key
    await rotations.cancel(team.owner, (await rotations.start(team.owner, other.id)).progress.rotation.id)
    await alerts.run(now + MINUTE)
    await keys.revoke(team.owner, visitor.id, Reason.OTHER, "a note")
    await alerts.run(now + 2 * MINUTE)
    _, link = await members.invite(team.owner, team.slug, "new@example.org", Role.EDITOR)
    joined = await members.accept_as_new(REQUEST, token_of(link), "New", PASSWORD)
    await members.change_role(team.owner, team.slug, joined.session.user.id, Role.VIEWER)
    await members.remove(team.owner, team.slug, joined.session.user.id)
    invitation, _ = await members.invite(team.owner, team.slug, "other@example.org", Role.VIEWER)
    await members.withdraw_invitation(team.owner, team.slug, invitation.id)
    await plans.change_plan(Actor.operator(), team.slug, "scale_enterprise")


async def test_what_is_sent_is_what_the_table_says(team: Team, receiver: Receiver, root: Path) -> None:
    now = 1_793_000_000_000_000
    database.freeze(now)
    made = await make(team, receiver)
    await happen(team, now)
    await deliver()
    sent = [each.content for each in receiver.received]
    documented = rows(root)
    assert {message["type"] for message in sent} == documented.keys()
    for message in sent:
        assert message.keys() == {"type", "timestamp", "data"}, message
        data, (_, prefix, detail) = message["data"], documented[message["type"]]
        assert data.keys() == {"workspace", "actor", "target", "summary", "detail"}
        assert data["target"].startswith(f"{prefix}_") and "…" not in data["summary"], message
        named = set(re.findall(r"`(\w+)`", detail))
        nested = {"before", "after"} if "with `before`" in detail else set()
        if message["type"] == "key.updated":
            assert data["detail"].keys() < named
        else:
            assert data["detail"].keys() == named - nested, message
    assert made.webhook.events == ()


async def test_the_receiver_of_the_page_verifies_what_is_sent(team: Team, settings: Settings, root: Path, tmp_path: Path) -> None:
    (source,) = re.findall(r"^```python\n(.*?)^```", page(root), re.M | re.S)
    port, output = free_port(), tmp_path / "output"
    with runtime.replaced(Sender(replace(settings, webhook_networks=LOOPBACK))), output.open("wb") as log:
        made = await webhooks.create(team.owner, team.slug, WebhookInput("Example", Kind.STANDARD, f"http://127.0.0.1:{port}/"))
        assert made.secret
        environment = {**os.environ, "WEBHOOK_SECRET": made.secret, "PORT": str(port)}
        process = subprocess.Popen([sys.executable, "-c", source], env=environment, stdout=log, stderr=log)
        try:
            await listening(port)
            await make_key(team, "Production server")
            await deliver()
            (delivery,) = (await delivery_store.page(made.webhook.id, _all())).items
            assert delivery.status_code == 204, output.read_text()
            await webhooks.redeliver(team.owner, delivery.id)
            await webhooks.rotate_secret(team.owner, made.webhook.id)
            await deliver()
            (again,) = (await delivery_store.page(made.webhook.id, _all())).items
            assert (again.status_code, again.attempts) == (204, 2)
        finally:
            process.kill()
            await asyncio.to_thread(process.wait)
    lines = [line for line in output.read_text().splitlines() if line.startswith("key.")]
    assert lines == ["key.created Created the API key Production server"]


def _all() -> Any:
    from app.paging import Window

    return Window(100)


async def listening(port: int) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
                continue
            writer.close()
            return
