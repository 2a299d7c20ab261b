"""The keys of a workspace as a file: a row for each, without anything from which a secret could be found."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

from app import catalogue, clock
from app.access.policy import Action
from app.downloads import Format
from app.keys import queries
from app.keys.filters import KeyFilter, Order, position_of
from app.keys.key import ApiKey
from app.paging import Window
from app.tenancy.service import Access

COLUMNS: Final = (
    "id", "name", "description", "labels", "prefix", "environment", "status", "permissions", "allowedIps", "createdAt", "createdBy",
    "owner", "expiresAt", "lastUsedAt", "lastUsedIp", "suspendedAt", "revokedAt", "revocationReason",
)  # fmt: skip
_AT_ONCE: Final = 100


def of_workspace(access: Access, filter: KeyFilter, form: Format) -> AsyncIterator[str]:
    """The keys that match the filter, oldest first, in pieces. Raises NotAllowed before the first one."""
    access.require(Action.READ_KEYS)
    return _pieces(access, filter, form)


async def _pieces(access: Access, filter: KeyFilter, form: Format) -> AsyncIterator[str]:
    yield form.heading(COLUMNS)
    after = None
    while True:
        found = await queries.page(access, Window(_AT_ONCE, after=after), filter, descending=False)
        yield "".join(form.line(_row(key, access.now)) for key in found.items)
        if not found.has_next:
            return
        after = position_of(found.items[-1], Order.CREATED_AT, catalogue.current())


def _row(key: ApiKey, now: int) -> dict[str, Any]:
    ended = key.revocation
    cells = (
        key.id, key.name, key.description, " ".join(key.labels), key.prefix, key.environment, str(key.status(now)),
        " ".join(key.permissions), " ".join(key.allowed_ips), _at(key.created_at), key.created_by.name,
        key.owner.name if key.owner else None, _at(key.expires_at), _at(key.last_used_at), key.last_used_ip, _at(key.suspended_at),
        _at(ended.at if ended else None), str(ended.reason) if ended else None,
    )  # fmt: skip
    return dict(zip(COLUMNS, cells, strict=True))


def _at(instant: int | None) -> str | None:
    return None if instant is None else clock.rfc3339(instant)
