"""Looking at API keys: one, a page of them, how many, and whose a secret is."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Final

from app import database, ids
from app.access import policy
from app.access.actor import Actor
from app.access.policy import Action, OperatorAction
from app.errors import FieldProblem, NotFound, ValidationFailed
from app.keys import store
from app.keys.key import ApiKey
from app.keys.listing import LONGEST_SEARCH, KeyFilter, KeyPage, Order, Window
from app.keys.secret import cut
from app.names import plain_name
from app.peppers import service as peppers
from app.tenancy import service as tenancy

WHAT: Final = "API key"


async def get(actor: Actor, key_id: str, *, slug: str | None = None, action: Action = Action.READ_KEYS) -> ApiKey:
    """Raises NotFound; with a slug also for a key of another workspace the actor belongs to. `action`: what the key is read for."""
    workspace_id = await workspace_of(key_id)
    with as_not_found():
        access = await tenancy.reading(actor, slug, action, workspace_id=None if slug else workspace_id)
    return found(await store.find(access.workspace.id, key_id))


async def by_id(key_ids: Collection[str]) -> dict[str, ApiKey]:
    """Those of these keys that exist, for keys that the caller has already been let into."""
    return await store.by_id(key_ids)


async def page(
    actor: Actor,
    slug: str | None,
    window: Window,
    filter: KeyFilter = KeyFilter(),
    order: Order = Order.CREATED_AT,
    *,
    descending: bool = True,
) -> KeyPage:
    """A page of the workspace's keys; a search text shaped like a key is cut to its prefix first. Raises ValidationFailed."""
    access = await tenancy.reading(actor, slug, Action.READ_KEYS)
    return await store.page(access.workspace.id, _safe(filter), order, descending, window, await database.now())


async def count(actor: Actor, slug: str | None, filter: KeyFilter = KeyFilter()) -> int:
    """How many keys the filter leaves. Raises ValidationFailed."""
    access = await tenancy.reading(actor, slug, Action.READ_KEYS)
    return await store.count(access.workspace.id, _safe(filter), await database.now())


async def find_by_secret(actor: Actor, secret: str) -> ApiKey | None:
    """For the operator, on the night something leaks: the key of this secret, whoever it belongs to."""
    policy.require_operator(actor, OperatorAction.FIND_BY_SECRET)
    return await store.find_by_digests(peppers.current().digests(secret.strip()))


async def workspace_of(key_id: str) -> str:
    """The id of a key's workspace. Raises NotFound."""
    workspace_id = await store.workspace_of(key_id) if ids.is_a(ids.API_KEY, key_id) else None
    if workspace_id is None:
        raise NotFound(WHAT)
    return workspace_id


@contextlib.contextmanager
def as_not_found() -> Iterator[None]:
    """Another's workspace must not show that the key exists: the same words as for a key that does not."""
    try:
        yield
    except NotFound:
        raise NotFound(WHAT) from None


def found(key: ApiKey | None) -> ApiKey:
    """Raises NotFound for None."""
    if key is None:
        raise NotFound(WHAT)
    return key


def _safe(filter: KeyFilter) -> KeyFilter:
    if len(filter.search) > LONGEST_SEARCH:
        raise ValidationFailed(FieldProblem("search", "TOO_LONG", f"Search for at most {LONGEST_SEARCH} characters."))
    name = None if filter.name is None else plain_name(filter.name)
    return replace(filter, search=cut(plain_name(filter.search)).rstrip("…"), name=name)
