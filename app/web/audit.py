"""The audit log of a workspace, the newest first, all of it or what was done to one thing."""

from __future__ import annotations

from typing import Final

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from app.audit import service as audit
from app.audit.entry import Entry, EntryFilter
from app.web.history import changes
from app.web.page import Page, with_query

LOG: Final = "/w/{slug:str}/settings/audit-log"
PAGE_SIZE: Final = 50
_LONGEST_POSITION: Final = 15


@get(LOG)
async def log(page: NamedDependency[Page], slug: FromPath[str]) -> Response[str]:
    target = _target(page)
    entries, newer, older = await _window(page, target)
    return page.show(
        "audit/log.html",
        entries=entries,
        target=target,
        total=await audit.count(page.actor, page.slug, EntryFilter(target)),
        newer=with_query(page.path, target=target, after=str(entries[0].position)) if newer else None,
        older=with_query(page.path, target=target, before=str(entries[-1].position)) if older else None,
        changes=lambda entry: changes(entry, page.zone),
    )


async def _window(page: Page, target: str | None) -> tuple[list[Entry], bool, bool]:
    """A page of entries, and whether there are newer and older ones."""
    below, above = _position(page, "before"), _position(page, "after")
    wanted, backwards = EntryFilter(target), above is not None
    found = await audit.between(
        page.actor, page.slug, limit=PAGE_SIZE + 1, below=below, above=above, filter=wanted, oldest_first=backwards
    )
    entries, more = found[:PAGE_SIZE], len(found) > PAGE_SIZE
    if above is not None:
        return entries[::-1], more, bool(entries)
    return entries, below is not None and bool(entries), more


def _position(page: Page, name: str) -> int | None:
    text = page.query.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _LONGEST_POSITION else None


def _target(page: Page) -> str | None:
    text = page.query.get("target", "")
    return text if text.isascii() and text.isprintable() and text else None


HANDLERS = (log,)
