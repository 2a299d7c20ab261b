"""Search in a workspace: keys, requests, pages and actions. `static/js/palette.js` shows the results in a dialog on every page."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from litestar import Response, get
from litestar.di import NamedDependency

from app.access.policy import Action
from app.errors import NotFound
from app.keys import service as keys
from app.keys.filters import KeyFilter
from app.keys.key import ApiKey
from app.keys.secret import mask_secrets
from app.paging import Window
from app.request_log import service as request_log
from app.usage import caller_service as callers
from app.usage.caller import network_in
from app.web.framework.page import Page
from app.web.presentation.audit_text import verdict
from app.web.presentation.guides import Entry, contents
from app.web.presentation.key_status import key_status
from app.web.presentation.navigation import ACTIONS, MORE_PAGES, PAGES, Place, matching
from app.web.request_log import request_id_in

MOST_KEYS: Final = 8
LONGEST: Final = 120
# What may be done to a key by name, as in "rotate billing": the page for it, and the action that it requires.
VERBS: Final = {
    "edit": ("edit", Action.UPDATE_API_KEY),
    "rotate": ("rotation", Action.ROTATE_API_KEY),
    "suspend": ("suspension", Action.SUSPEND_API_KEY),
    "revoke": ("revocation", Action.REVOKE_API_KEY),
}


@dataclass(frozen=True, slots=True)
class Hit:
    """A link of the results. `code`: what identifies it; `detail`: what else tells it apart; `keys`: its keyboard shortcut."""

    title: str
    address: str
    code: str = ""
    detail: str = ""
    keys: str = ""


@get("/w/{slug:str}/search")
async def search(page: NamedDependency[Page]) -> Response[str]:
    text = mask_secrets(page.query.get("q", "").strip())[:LONGEST].strip()
    groups = {
        "Requests": await _requests(page, text),
        "API keys": await _keys(page, text),
        "Actions": await _changes(page, text) + _places(page, ACTIONS, text),
        "Pages": _places(page, (*PAGES, *MORE_PAGES), text),
        "Documentation": [Hit(entry.title, entry.address) for entry in _guides(text)],
        "Workspaces": _workspaces(page, text),
    }
    return page.show("search/page.html", text=text, groups={title: hits for title, hits in groups.items() if hits})


async def _requests(page: Page, text: str) -> list[Hit]:
    if request_id := request_id_in(text):
        with contextlib.suppress(NotFound):
            request, key = await request_log.find(page.access, request_id)
            return [Hit(f"Request with {key.name}", page.to("requests", request.id), request.id, verdict(request.outcome))]
    return []


async def _keys(page: Page, text: str) -> list[Hit]:
    """Keys with this name, prefix or id, and those that this program, address or network uses."""
    if not text:
        return []
    wanted = await callers.with_callers(page.access, KeyFilter(search=text))
    uses = f"used by {network_in(text) or text}"
    return [_hit(page, key, uses if key.id in wanted.found else "") for key in await _found(page, wanted)]


async def _changes(page: Page, text: str) -> list[Hit]:
    """What `rotate billing` and the like mean; nothing that would be refused is offered."""
    verb, _, name = text.partition(" ")
    if not name.strip() or verb.casefold() not in VERBS:
        return []
    path, action = VERBS[verb.casefold()]
    named = await _found(page, KeyFilter(search=name.strip())) if page.may(action) else []
    living = [key for key in named if not key.is_over(page.now)]
    return [Hit(f"{verb.capitalize()} {key.name}", f"{_path(page, key)}/{path}", f"{key.prefix}…") for key in living]


async def _found(page: Page, wanted: KeyFilter) -> Sequence[ApiKey]:
    return (await keys.page(page.access, Window(MOST_KEYS), wanted)).items


def _places(page: Page, places: Iterable[Place], text: str) -> list[Hit]:
    return [Hit(place.title, place.address(page.access), keys=place.keys) for place in matching(places, text, page.access)]


def _guides(text: str) -> list[Entry]:
    """The guides with this text in their titles."""
    known = [entry for entries in contents().values() for entry in entries]
    return [entry for entry in known if text and text.casefold() in entry.title.casefold()]


def _workspaces(page: Page, text: str) -> list[Hit]:
    """The user's other workspaces."""
    others = [each.workspace for each in page.memberships if each.workspace.id != page.access.workspace.id]
    return [Hit(each.name, f"/w/{each.slug}", each.slug) for each in others if text.casefold() in each.name.casefold()]


def _hit(page: Page, key: ApiKey, detail: str = "") -> Hit:
    return Hit(key.name, _path(page, key), f"{key.prefix}…", detail or key_status(key, page.now, page.zone).label)


def _path(page: Page, key: ApiKey) -> str:
    return page.to("settings", "api-keys", key.id)


HANDLERS = (search,)
