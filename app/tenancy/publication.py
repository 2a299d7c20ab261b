"""Announces changes of a workspace to its webhooks, through the outbox."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app import clock
from app.noun import Event
from app.outbox import service as outbox
from app.outbox.item import Kind
from app.tenancy.service import Change


async def publish(change: Change, event: Event, target: str, **detail: Any) -> None:
    """Inside a change: what happened to `target`, for every webhook of the workspace that has chosen this event.

    Nothing is written for an event that is not published, or while no webhook is enabled. `detail` is JSON data and never
    holds a secret. Whatever `audit.record` records is published by it; only what has no audit entry is published here.
    """
    workspace = change.locked_workspace
    if workspace is None or not workspace.webhooks or not event.published:
        return
    await outbox.put(Kind.EVENT, message(change, event, target, detail), change.now, workspace_id=workspace.id)


def message(change: Change, event: Event, target: str, detail: Mapping[str, Any]) -> dict[str, Any]:
    """What a webhook is sent, as JSON data."""
    workspace, actor = change.workspace, change.actor
    return {
        "type": event.name,
        "timestamp": clock.rfc3339(change.now),
        "data": {
            "workspace": {"id": workspace.id, "slug": workspace.slug, "name": workspace.name},
            "actor": {"kind": str(actor.kind), "id": actor.id, "name": actor.name},
            "target": target,
            "summary": event.about(detail),
            "detail": dict(detail),
        },
    }
