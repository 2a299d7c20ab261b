"""The security checklist: what is met, what is not and why, and the forms that confirm an item or remove unused permissions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from app import catalogue
from app.access.policy import Action
from app.checklist import service as checklists
from app.checklist.item import ATTESTED_DAYS, USE_DAYS, Breach, ItemName, Remedy, Result
from app.checklist.validation import LONGEST_URL
from app.errors import NotFound, ValidationFailed
from app.keys import service as keys
from app.keys.key import ApiKey
from app.versions import Stale
from app.web.framework.page import Page
from app.web.key_changes import KEY

CHECKLIST: Final = "/w/{slug:str}/checklist"
UNUSED: Final = "unused-permissions"
# Keys of an item: on the page of all items, and on a page of one item.
SHOWN: Final = 5
PAGE_SIZE: Final = 50


@dataclass(frozen=True, slots=True)
class Way:
    """Where a remedy is applied: a page of the key, or else of the workspace, and the action that it requires."""

    label: str
    path: str
    action: str
    of_key: bool = True


WAYS: Final[Mapping[Remedy, Way]] = {
    Remedy.CREATE_KEY: Way("Create API key", "settings/api-keys/new", "create_api_key", of_key=False),
    Remedy.TRIM_PERMISSIONS: Way("Trim", UNUSED, "update_api_key"),
    Remedy.REVOKE: Way("Revoke", "revocation", "revoke_api_key"),
    Remedy.ROTATE: Way("Rotate", "rotation", "rotate_api_key"),
    Remedy.REMOVE_EXPIRY: Way("Remove expiry", "edit", "update_api_key"),
    Remedy.SET_EXPIRY: Way("Set expiry", "edit", "update_api_key"),
    Remedy.FINISH_ROTATION: Way("Finish rotation", "rotation", "complete_rotation"),
    Remedy.REVIEW_USAGE: Way("View alerts", "alerts", "read_keys", of_key=False),
}
# What a person confirms, in the words of the form.
STATEMENTS: Final[Mapping[ItemName, str]] = {
    ItemName.KEYS_OUT_OF_CODE: "Our programs read every key from an environment variable or a secret store. No key is in code, in a"
    " repository, in an image or in a chat.",
    ItemName.COMPROMISE_PROCESS: "We have written down who revokes a leaked key, how it is replaced, and how to find out what was"
    " done with it. Everyone who may need this page can open it.",
}


@get(CHECKLIST)
async def listing(page: NamedDependency[Page]) -> Response[str]:
    return await _show(page)


@post(f"{CHECKLIST}/{{item:str}}/attestation", status_code=200)
async def attest(page: NamedDependency[Page], item: FromPath[str]) -> Response[str]:
    name = _named(item)
    if name not in ATTESTED_DAYS:
        raise NotFound("page")
    try:
        await checklists.attest(page.actor, page.slug, name, runbook_url=page.form.text("runbookUrl") or None)
    except ValidationFailed as problem:
        page.form = page.form.refused(problem)
        return await _show(page, 422)
    return page.go(page.to("checklist", done="confirmed"))


@get(f"{KEY}/{UNUSED}")
async def unused_form(page: NamedDependency[Page], key_id: FromPath[str]) -> Response[str]:
    page.require(Action.UPDATE_API_KEY)
    key = await keys.find(page.access, key_id)
    if key.is_over(page.now):
        return page.go(page.to("settings", "api-keys", key.id))
    return await _unused(page, key, 200)


@post(f"{KEY}/{UNUSED}", status_code=200)
async def trim(page: NamedDependency[Page], key_id: FromPath[str]) -> Response[str]:
    key = await keys.find(page.access, key_id)
    try:
        removed, seen = page.form.texts("permissions"), page.form.text("seen") or None
        await checklists.trim(page.actor, key_id, removed, slug=page.slug, expected=seen)
    except Stale:
        return await _unused(page, await keys.find(page.access, key_id), 409, stale=True)
    except ValidationFailed as problem:
        page.form = page.form.refused(problem)
        return await _unused(page, key, 422)
    return page.go(page.to("checklist", done="trimmed", key=key.id))


def slug_of(name: ItemName) -> str:
    """`LEAST_PERMISSIONS` in an address: `least-permissions`."""
    return name.lower().replace("_", "-")


async def _show(page: Page, status: int = 200) -> Response[str]:
    """All items, or with `?item=` all keys that break one of them, in pages."""
    checklist = await checklists.of_workspace(page.access)
    only = checklist.result(_named(page.query["item"])) if page.query.get("item") else None
    first = _first_of_page(page, only) if only else 0
    return page.show(
        "checklist/one.html" if only else "checklist/page.html",
        status,
        checklist=checklist,
        result=only,
        first=first,
        shown=lambda result: result.breaches[first : first + PAGE_SIZE] if only else result.breaches[:SHOWN],
        page_size=PAGE_SIZE,
        slug_of=slug_of,
        way=lambda remedy: _way(page, remedy),
        address=lambda breach: _address(page, breach),
        statements=STATEMENTS,
        longest_url=LONGEST_URL,
        trimmed=await _trimmed(page),
    )


async def _trimmed(page: Page) -> ApiKey | None:
    """The key whose permissions were just removed, to link to it."""
    if page.query.get("done") != "trimmed" or not page.query.get("key"):
        return None
    try:
        return await keys.find(page.access, page.query["key"])
    except NotFound:
        return None


async def _unused(page: Page, key: ApiKey, status: int, *, stale: bool = False) -> Response[str]:
    use, known = await checklists.use_of(page.access, key), catalogue.current()
    return page.show(
        "checklist/unused.html",
        status,
        key=key,
        use=use,
        rows=[(known.permission(name), requests) for name, requests in use.requests],
        environment=known.environment(key.environment),
        days=USE_DAYS,
        stale=stale,
    )


def _named(text: str) -> ItemName:
    """The item of an address. Raises NotFound."""
    found = {slug_of(name): name for name in ItemName}.get(text)
    if found is None:
        raise NotFound("page")
    return found


def _first_of_page(page: Page, result: Result) -> int:
    """The position of the first key of the requested page; the last page for one beyond it."""
    text = page.query.get("page", "1")
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 7 else 1
    last = max((len(result.breaches) - 1) // PAGE_SIZE, 0)
    return min(max(number - 1, 0), last) * PAGE_SIZE


def _way(page: Page, remedy: Remedy | None) -> Way | None:
    """Where the remedy is applied, if the user may do it."""
    way = WAYS.get(remedy) if remedy else None
    return way if way and page.may(way.action) else None


def _address(page: Page, breach: Breach | None) -> str:
    return page.to("settings", "api-keys", breach.key_id) if breach else page.to()


HANDLERS = (listing, attest, unused_form, trim)
