"""API keys: the list, and looking at one."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Final

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from app import catalogue
from app.access.policy import Action
from app.audit import service as audit
from app.clock import SECOND
from app.errors import NotFound
from app.keys import service as keys
from app.keys.key import ApiKey
from app.keys.listing import KeyFilter, KeyPage, Order, Window, place_of
from app.plans import service as plans
from app.rotations import service as rotations
from app.usage import callers
from app.usage import service as usage
from app.usage.usage import Counts
from app.versions import version_of
from app.web import key_changes, key_creation, key_form
from app.web.key_creation import LIST
from app.web.page import Page, with_query
from app.web.standing import rotating, standing

PAGE_SIZE: Final = 25
# Of what only time changes, and of what others than the key's own requests do to its page.
LOOK_EVERY: Final = 30 * SECOND
SORTS: Final[Mapping[str, tuple[Order, bool]]] = {
    "newest": (Order.CREATED_AT, True),
    "oldest": (Order.CREATED_AT, False),
    "name": (Order.NAME, False),
    "name-z": (Order.NAME, True),
    "used": (Order.LAST_USED_AT, True),
    "unused": (Order.LAST_USED_AT, False),
    "expires": (Order.EXPIRES_AT, False),
    "expires-last": (Order.EXPIRES_AT, True),
    "rotate": (Order.ROTATE_BY, False),
    "rotate-last": (Order.ROTATE_BY, True),
}


@get(LIST)
async def listing(page: NamedDependency[Page], slug: FromPath[str]) -> Response[str]:
    asked = key_form.filter_of(page.query)
    sort = page.query.get("sort") if page.query.get("sort") in SORTS else "newest"
    found = await _found(page, asked, sort or "newest")
    runs = await rotations.of_keys([key.id for key in found.keys])
    return page.show(
        "keys/list.html",
        keys=found,
        asked=asked,
        sort=sort,
        by_schedule=bool(asked.rotation) or sort in ("rotate", "rotate-last"),
        filters=key_form.plain(page.query),
        total=await keys.count(page.actor, page.slug, asked),
        is_filtered=asked != KeyFilter(),
        requests=await usage.totals([key.id for key in found.keys]) if page.may(Action.READ_USAGE) else {},
        meter=await plans.meter(page.here.workspace),
        catalogue=catalogue.current(),
        standing=lambda key: rotating(runs.get(key.id)) or standing(key, page.now, page.zone),
        rotate_by=lambda key: None if key.is_over(page.now) else key.rotate_by(_every(key)),
        link=lambda **changed: with_query(page.path, **{**key_form.plain(page.query), **changed}),
    )


@get(f"{LIST}/{{key_id:str}}")
async def detail(page: NamedDependency[Page], slug: FromPath[str], key_id: FromPath[str]) -> Response[str]:
    """The open page asks for itself again with the mark of what it shows; while that still holds there is nothing to say."""
    key = await keys.get(page.actor, key_id, slug=page.slug)
    mark = await _mark(page, key)
    if page.query.get("poll") == mark:
        return page.unchanged()
    found = await usage.of_key(page.actor, key_id)
    line = await rotations.lineage(page.actor, key_id, slug=page.slug)
    return page.show(
        "keys/page.html",
        key=key,
        seen=mark,
        usage=found,
        run=await rotations.of_key(page.actor, key_id, slug=page.slug),
        callers=(await callers.of_keys([key.id]))[key.id],
        line=line,
        line_counts=sum((await usage.totals([each.id for each in line])).values(), Counts()),
        standing=standing(key, page.now, page.zone),
        environment=catalogue.current().environment(key.environment),
        permissions=[catalogue.current().permission(name) for name in key.permissions],
        history=await audit.about(page.actor, page.slug, key.id, limit=20) if page.may(Action.READ_AUDIT) else [],
    )


async def _found(page: Page, asked: KeyFilter, sort: str) -> KeyPage:
    order, descending = SORTS[sort]
    after, before = [await _named(page, name) for name in ("after", "before")]
    window = Window(
        PAGE_SIZE,
        after=place_of(after, order, page.now) if after else None,
        before=place_of(before, order, page.now) if before else None,
        backwards=before is not None,
    )
    return await keys.page(page.actor, page.slug, window, asked, order, descending=descending)


async def _mark(page: Page, key: ApiKey) -> str:
    """Cheap, and read before what it marks: differs when the key was changed or anything counted, and twice a minute anyway."""
    counted = await usage.totals([key.id])
    return version_of(key, counted, page.now // LOOK_EVERY)


def _every(key: ApiKey) -> int | None:
    return catalogue.current().environment(key.environment).rotate_every_days


async def _named(page: Page, name: str) -> ApiKey | None:
    """The key at which a page of the list begins or ends; one that is not there is no reason to show nothing."""
    key_id = page.query.get(name)
    with contextlib.suppress(NotFound):
        return await keys.get(page.actor, key_id, slug=page.slug) if key_id else None
    return None


HANDLERS = (listing, detail, *key_creation.HANDLERS, *key_changes.HANDLERS)
