"""Rows of webhooks. URL and secrets are sealed here, so that they are readable nowhere else."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from app import database
from app.peppers import service as peppers
from app.webhooks.tables import WebhookRow
from app.webhooks.webhook import Credentials, Disabled, Kind, Webhook, shown_url


async def add(webhook: Webhook, credentials: Credentials) -> None:
    row = WebhookRow(
        id=webhook.id,
        workspace=webhook.workspace_id,
        name=webhook.name,
        kind=str(webhook.kind),
        sealed=_sealed(webhook.id, credentials),
        events=" ".join(webhook.events),
        created_at=webhook.created_at,
        created_by_name=webhook.created_by_name,
    )
    await WebhookRow.insert(row).run()


async def find(workspace_id: str, webhook_id: str) -> Webhook | None:
    found = await database.fetch("SELECT * FROM webhook WHERE workspace = {} AND id = {}", workspace_id, webhook_id)
    return _webhook(found[0]) if found else None


async def find_workspace(webhook_id: str) -> str | None:
    """The workspace of a webhook. The caller of this function checks access."""
    rows = await database.fetch("SELECT workspace FROM webhook WHERE id = {}", webhook_id)
    return rows[0]["workspace"] if rows else None


async def of_workspace(workspace_id: str) -> list[Webhook]:
    """Oldest first."""
    rows = await database.fetch("SELECT * FROM webhook WHERE workspace = {} ORDER BY created_at, id", workspace_id)
    return [_webhook(row) for row in rows]


async def with_credentials(webhook_id: str) -> tuple[Webhook, Credentials] | None:
    """For sending. Raises PepperGone if this process does not have its pepper."""
    rows = await database.fetch("SELECT * FROM webhook WHERE id = {}", webhook_id)
    return (_webhook(rows[0]), _opened(rows[0])) if rows else None


async def save(webhook: Webhook) -> None:
    """Everything but its credentials."""
    await database.fetch(
        "UPDATE webhook SET name = {}, kind = {}, events = {}, previous_until = {}, disabled_at = {}, disabled_because = {},"
        " failing_since = {} WHERE id = {}",
        webhook.name,
        str(webhook.kind),
        " ".join(webhook.events),
        webhook.previous_until,
        webhook.disabled_at,
        str(webhook.disabled_because) if webhook.disabled_because else None,
        webhook.failing_since,
        webhook.id,
    )


async def save_credentials(webhook_id: str, credentials: Credentials) -> None:
    await database.fetch("UPDATE webhook SET sealed = {} WHERE id = {}", _sealed(webhook_id, credentials), webhook_id)


async def remove(webhook_id: str) -> None:
    """Together with its deliveries."""
    await database.fetch("DELETE FROM webhook WHERE id = {}", webhook_id)


async def remove_every(workspace_id: str) -> None:
    """All webhooks of a workspace, with their deliveries."""
    await database.fetch("DELETE FROM webhook WHERE workspace = {}", workspace_id)


async def note_failure(webhook_id: str, at: int) -> None:
    """The first failure since the last success."""
    await database.fetch("UPDATE webhook SET failing_since = {} WHERE id = {} AND failing_since IS NULL", at, webhook_id)


async def note_success(webhook_id: str) -> None:
    await database.fetch("UPDATE webhook SET failing_since = NULL WHERE id = {} AND failing_since IS NOT NULL", webhook_id)


async def reseal() -> None:
    """Seals all credentials under the current pepper; called at start, inside a transaction."""
    known = peppers.current()
    for row in await database.fetch("SELECT * FROM webhook ORDER BY id"):
        if not known.is_current(bytes(row["sealed"])):
            await save_credentials(row["id"], _opened(row))


def _context(webhook_id: str) -> str:
    return f"webhook {webhook_id}"


def _sealed(webhook_id: str, credentials: Credentials) -> bytes:
    return peppers.current().seal(json.dumps(asdict(credentials)).encode(), _context(webhook_id))


def _opened(row: dict[str, Any]) -> Credentials:
    return Credentials(**json.loads(peppers.current().unseal(bytes(row["sealed"]), _context(row["id"]))))


def _webhook(row: dict[str, Any]) -> Webhook:
    kind = Kind(row["kind"])
    return Webhook(
        id=row["id"],
        workspace_id=row["workspace"],
        name=row["name"],
        kind=kind,
        url=shown_url(kind, _opened(row).url),
        events=tuple(row["events"].split()),
        created_at=row["created_at"],
        created_by_name=row["created_by_name"],
        previous_until=row["previous_until"],
        disabled_at=row["disabled_at"],
        disabled_because=Disabled(row["disabled_because"]) if row["disabled_because"] else None,
        failing_since=row["failing_since"],
    )
