"""Reading the log of a key's requests. Requests are logged by the fold of the usage log, if their workspace wants it."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import replace
from typing import Final

from app import ids
from app.access.actor import Actor
from app.access.policy import Action
from app.errors import FieldProblem, NotFound, ValidationFailed
from app.keys import service as keys
from app.keys.key import ApiKey
from app.names import plain_name
from app.paging import Page, Window
from app.request_log import store
from app.request_log.request import LONGEST_SEARCH, REQUEST_ID, LoggedRequest, RequestFilter
from app.tenancy import service as tenancy
from app.tenancy.service import Access

_WHAT: Final = "request"


async def requests(access: Access, key: ApiKey, window: Window, wanted: RequestFilter = RequestFilter()) -> Page[LoggedRequest]:
    """A page of a key's logged requests, newest first; none if the workspace keeps no log. Raises
    ValidationFailed."""
    access.require(Action.READ_USAGE, key)
    return await store.page(key.id, window, _checked(wanted)) if access.workspace.logs_requests else window.page(())


async def count(access: Access, key: ApiKey, wanted: RequestFilter = RequestFilter()) -> int:
    """How many requests of the key are logged and match."""
    access.require(Action.READ_USAGE, key)
    return await store.count(key.id, _checked(wanted)) if access.workspace.logs_requests else 0


async def get(actor: Actor, request_id: str) -> tuple[LoggedRequest, ApiKey]:
    """A request and its key, in any workspace of the actor. Raises NotFound, NotAllowed."""
    found = await _find(request_id)
    key = await _key(keys.get(actor, found.key_id, action=Action.READ_USAGE))
    return _kept(await tenancy.reading(actor, None, Action.READ_USAGE, workspace_id=key.workspace_id), found), key


async def find(access: Access, request_id: str) -> tuple[LoggedRequest, ApiKey]:
    """A request and its key in one workspace. Raises NotFound, NotAllowed."""
    access.require(Action.READ_USAGE)
    found = await _find(request_id)
    return _kept(access, found), await _key(keys.find(access, found.key_id, action=Action.READ_USAGE))


def _checked(wanted: RequestFilter) -> RequestFilter:
    """Raises ValidationFailed."""
    for name, text in (("search", wanted.search), ("permission", wanted.permission or "")):
        if len(text) > LONGEST_SEARCH:
            raise ValidationFailed(FieldProblem(name, "TOO_LONG", f"Search for at most {LONGEST_SEARCH} characters."))
    # No text that the database cannot compare.
    permission = None if wanted.permission is None else plain_name(wanted.permission)
    return replace(wanted, search=plain_name(wanted.search), permission=permission, outcomes=tuple(dict.fromkeys(wanted.outcomes)))


async def _find(request_id: str) -> LoggedRequest:
    found = await store.find(request_id) if ids.is_a(REQUEST_ID, request_id) else None
    if found is None:
        raise NotFound(_WHAT)
    return found


async def _key(finding: Awaitable[ApiKey]) -> ApiKey:
    try:
        return await finding
    except NotFound:
        raise NotFound(_WHAT) from None


def _kept(access: Access, found: LoggedRequest) -> LoggedRequest:
    """What a workspace no longer keeps is deleted soon, and not shown until then."""
    if not access.workspace.logs_requests:
        raise NotFound(_WHAT)
    return found
