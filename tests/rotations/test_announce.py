"""Webhooks are told each new state of an open rotation, once."""

from __future__ import annotations

import asyncio
from typing import Any

from app import database
from app.outbox import store as outbox
from app.outbox.item import Kind as ItemKind
from app.rotations import announce
from app.rotations import service as rotations
from app.webhooks import service as webhooks
from app.webhooks.validation import WebhookInput
from app.webhooks.webhook import Kind
from tests.conftest import Team, make_key
from tests.support.callers import use


async def told() -> list[dict[str, Any]]:
    now = await database.now()
    items = await outbox.due(ItemKind.EVENT, now, 100)
    return [item.content["data"] for item in items if item.content["type"] == "rotation.state_changed"]


async def look(times: int = 1) -> None:
    now = await database.now()
    await asyncio.gather(*(announce.announce_states(now) for _ in range(times)))


async def test_each_new_state_is_told_once_and_none_without_a_webhook(team: Team) -> None:
    key = (await make_key(team)).key
    run = (await rotations.start(team.owner, key.id)).progress
    await use(run.successor.id)
    assert not await announce.is_any_open(await database.now())
    await look()
    assert await told() == []
    await webhooks.create(team.owner, team.slug, WebhookInput("CI", Kind.STANDARD, "https://hooks.example.com"))
    assert await announce.is_any_open(await database.now())
    await look(3)
    await look()
    (data,) = await told()
    assert (data["target"], data["actor"]["id"]) == (run.rotation.id, "system")
    state = (await rotations.get(team.owner, run.rotation.id)).state
    assert data["detail"] == {
        "before": "ISSUED", "after": str(state), "predecessor": key.id, "successor": run.successor.id,
    }  # fmt: skip


async def test_a_rotation_that_is_over_or_new_is_not_told(team: Team) -> None:
    await webhooks.create(team.owner, team.slug, WebhookInput("CI", Kind.STANDARD, "https://hooks.example.com"))
    run = (await rotations.start(team.owner, (await make_key(team)).key.id)).progress
    await look()
    await use(run.successor.id)
    await rotations.cancel(team.owner, run.rotation.id, force=True)
    await look()
    assert await told() == [] and not await announce.is_any_open(await database.now())
