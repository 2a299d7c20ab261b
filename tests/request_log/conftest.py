"""A key without a database."""

from __future__ import annotations

from app.access.actor import ActorKind, ActorRef
from app.keys.key import ApiKey

NOW = 1_790_000_000_000_000


def a_key() -> ApiKey:
    return ApiKey(
        name="Name",
        environment="production",
        permissions=("pdf.read",),
        id="key_x",
        workspace_id="wsp_x",
        prefix="fl_live_a1b2",
        created_at=NOW,
        created_by=ActorRef(ActorKind.USER, "usr_x", "Ada"),
        suspended_at=None,
        revocation=None,
        last_used_at=None,
        last_used_ip=None,
    )
