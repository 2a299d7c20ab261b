"""Queries for API keys: one, a page, a count, and the key of a secret."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import Final

from app import catalogue, ids
from app.access import policy
from app.access.actor import Actor
from app.access.policy import Action, OperatorAction
from app.audit import service as audit
from app.errors import FieldProblem, NotFound, ValidationFailed
from app.keys import labels, leak_digest, store
from app.keys.filters import LONGEST_SEARCH, KeyFilter, Order
from app.keys.foreign import foreign, keyed_digests
from app.keys.key import API_KEY_ID, ApiKey
from app.keys.secret import class_of, mask_secrets
from app.names import plain_name
from app.paging import Page, Window
from app.peppers import service as peppers
from app.tenancy import service as tenancy
from app.tenancy.service import Access

WHAT: Final = "API key"
MOST_DIGESTS: Final = 100


async def get(actor: Actor, key_id: str, *, action: Action = Action.READ_KEYS) -> ApiKey:
    """A key of any workspace that the actor belongs to. `action`: the action the key is read for. Raises NotFound, NotAllowed."""
    key = found((await store.by_id([key_id])).get(key_id) if ids.is_a(API_KEY_ID, key_id) else None)
    with as_not_found():
        await tenancy.reading(actor, None, action, workspace_id=key.workspace_id)
    return key


async def get_many(actor: Actor, key_ids: Collection[str], *, action: Action = Action.READ_KEYS) -> dict[str, ApiKey]:
    """Those of these keys that `get` would find. Raises NotAllowed."""
    known, readable = await store.by_id(key_ids), set[str]()
    for workspace_id in {key.workspace_id for key in known.values()}:
        with contextlib.suppress(NotFound):
            await tenancy.reading(actor, None, action, workspace_id=workspace_id)
            readable.add(workspace_id)
    return {key_id: key for key_id, key in known.items() if key.workspace_id in readable}


async def find(access: Access, key_id: str, *, action: Action = Action.READ_KEYS) -> ApiKey:
    """A key of the workspace. Raises NotFound, NotAllowed."""
    access.require(action)
    return found(await store.find(access.workspace.id, key_id) if ids.is_a(API_KEY_ID, key_id) else None)


async def find_many(access: Access, key_ids: Collection[str]) -> dict[str, ApiKey]:
    """Those of these keys that belong to the workspace. Raises NotAllowed."""
    access.require(Action.READ_KEYS)
    return {key.id: key for key in await store.find_many(access.workspace.id, key_ids)}


async def page(
    access: Access,
    window: Window,
    filter: KeyFilter = KeyFilter(),
    order: Order = Order.CREATED_AT,
    *,
    descending: bool = True,
) -> Page[ApiKey]:
    """A page of the workspace's keys; a search for a whole key becomes one for its prefix. Raises ValidationFailed."""
    access.require(Action.READ_KEYS)
    return await store.page(access.workspace.id, _safe(filter), order, descending, window, access.now)


async def count(access: Access, filter: KeyFilter = KeyFilter()) -> int:
    """How many keys match the filter. Raises ValidationFailed."""
    access.require(Action.READ_KEYS)
    return await store.count(access.workspace.id, _safe(filter), access.now)


async def find_by_secret(actor: Actor, secret: str) -> list[ApiKey]:
    """Every key with this secret, in any workspace. For the operator, after a leak."""
    policy.require_operator(actor, OperatorAction.FIND_BY_SECRET)
    return await opened_by(secret.strip())


async def opened_by(secret: str) -> list[ApiKey]:
    """Every key with this secret, in any workspace: two, if it was imported by hashes of two algorithms. The caller decides who may
    know of them."""
    digests = peppers.current().digests(secret)
    if foreign(secret, catalogue.current().prefixes) is not None:
        digests += keyed_digests(peppers.current(), secret)
    return await store.find_by_digests(digests)


async def is_well_formed(text: str) -> bool:
    """Whether it may be a key: one of Keydesk's format, or, if any were imported, one that was issued elsewhere."""
    prefixes = catalogue.current().prefixes
    return class_of(text, prefixes) is not None or (foreign(text, prefixes) is not None and await store.is_any_imported())


async def find_leaked(access: Access, sha256: Sequence[str]) -> dict[str, ApiKey]:
    """The workspace's keys with these secrets, by the SHA-256 of each in hexadecimal. Raises ValidationFailed.

    For scanners, which do not send the secrets that they find.
    """
    access.require(Action.READ_KEYS)
    if len(sha256) > MOST_DIGESTS:
        raise ValidationFailed(FieldProblem("sha256", "TOO_MANY", f"At most {MOST_DIGESTS} digests at once, please."))
    for index, text in enumerate(sha256):
        if not leak_digest.SHA256.fullmatch(text):
            raise ValidationFailed(FieldProblem("sha256", "INVALID", "A SHA-256 is 64 hexadecimal digits in lower case.", index))
    key = await audit.derived_key(access, leak_digest.PURPOSE)
    digests = {text: leak_digest.keyed(key, bytes.fromhex(text)) for text in sha256}
    known = await store.find_by_leak_digests(access.workspace.id, digests.values())
    return {text: known[digest] for text, digest in digests.items() if digest in known}


async def workspace_of(key_id: str) -> str:
    """The id of a key's workspace. Raises NotFound."""
    workspace_id = await store.workspace_of(key_id) if ids.is_a(API_KEY_ID, key_id) else None
    if workspace_id is None:
        raise NotFound(WHAT)
    return workspace_id


@contextlib.contextmanager
def as_not_found() -> Iterator[None]:
    """Turns NotFound for a foreign workspace into NotFound for the key, so that the message does not reveal that the key exists."""
    try:
        yield
    except NotFound:
        raise NotFound(WHAT) from None


def found(key: ApiKey | None) -> ApiKey:
    """Returns the key; raises NotFound for None."""
    if key is None:
        raise NotFound(WHAT)
    return key


def _safe(filter: KeyFilter) -> KeyFilter:
    if len(filter.search) > LONGEST_SEARCH:
        raise ValidationFailed(FieldProblem("search", "TOO_LONG", f"Search for at most {LONGEST_SEARCH} characters."))
    if filter.permission is not None and len(filter.permission) > LONGEST_SEARCH:
        raise ValidationFailed(FieldProblem("permission", "UNKNOWN", "There is no permission with so long a name."))
    for index, (label, value) in enumerate(filter.labels):
        if not labels.is_label(label, value or ""):
            raise ValidationFailed(FieldProblem("labels", "INVALID", f"No key can have this label. {labels.RULE}.", index))
    name = None if filter.name is None else plain_name(filter.name)
    return replace(filter, search=mask_secrets(plain_name(filter.search)).rstrip("…"), name=name)
