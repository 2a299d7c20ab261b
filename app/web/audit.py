"""The audit log of a workspace, newest first, with filters and search, and as a file for download."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from litestar import Response, get
from litestar.di import NamedDependency

from app.access.policy import Action
from app.audit import service as audit
from app.audit.entry import LONGEST_SEARCH, EntryFilter
from app.audit.export import file_name
from app.downloads import Format
from app.errors import ConfirmationNeeded
from app.keys.secret import mask_secrets
from app.paging import Position, Window
from app.tenancy import service as tenancy
from app.web.framework.dates import midnight
from app.web.framework.downloads import Downloads
from app.web.framework.page import Page, with_query
from app.web.presentation.audit_text import action_name, changes

LOG: Final = "/w/{slug:str}/settings/audit-log"
PAGE_SIZE: Final = 50
FILTERS: Final = ("q", "actor", "action", "target", "since", "until")
_LONGEST_POSITION: Final = 15


@get(LOG)
async def log(page: NamedDependency[Page]) -> Response[str]:
    wanted, query = filter_from(page.query, page.zone), nonempty_filters(page.query)
    found = await audit.between(page.access, _window(page), wanted)
    entries = found.items
    return page.show(
        "audit/log.html",
        entries=entries,
        wanted=wanted,
        query=query,
        is_filtered=wanted != EntryFilter(),
        actors=await audit.actors(page.access),
        actions=[(name, action_name(name)) for name in await audit.actions(page.access)],
        total=await audit.count(page.access, wanted),
        newer=with_query(page.path, **query, after=str(entries[0].position)) if entries and found.has_previous else None,
        older=with_query(page.path, **query, before=str(entries[-1].position)) if entries and found.has_next else None,
        files=[(form, with_query(f"{page.path}/export.{form}", **query)) for form in Format],
        changes=lambda entry: changes(entry, page.zone),
    )


@get([f"{LOG}/export.{form}" for form in Format])
async def export(page: NamedDependency[Page], downloads: NamedDependency[Downloads]) -> Response[Any]:
    """All entries that match the filters of the page, oldest first. Leads to the page that asks for the password, if it has to be
    given again, and from there back to the log."""
    form = Format(page.path.rpartition(".")[2])
    try:
        pieces = audit.export(page.access, form, filter_from(page.query, page.zone))
    except ConfirmationNeeded:
        filtered = page.to("settings", "audit-log", **nonempty_filters(page.query), done="confirmed")
        return page.go(with_query("/account/confirm", next=filtered))
    return downloads.stream(
        page.signed_in,
        page.access.workspace.id,
        pieces,
        allowed=lambda: tenancy.reading(page.actor, page.slug, Action.EXPORT_AUDIT),
        media_type=form.media_type,
        file_name=file_name(page.slug, page.now, form),
    )


def filter_from(query: Mapping[str, str], zone: str) -> EntryFilter:
    """The log's filter; values that cannot be read are ignored. Both days are included, in this time zone."""
    return EntryFilter(
        target=_id(query, "target"),
        action=_id(query, "action"),
        actor=_id(query, "actor"),
        since=midnight(query.get("since", ""), zone),
        until=midnight(query.get("until", ""), zone, days=1),
        search=_search_text(query),
    )


def nonempty_filters(query: Mapping[str, str]) -> dict[str, str | None]:
    """The part of the query that identifies the list, without the position in it."""
    return {**{name: query[name] for name in FILTERS if query.get(name)}, "q": _search_text(query)}


def _search_text(query: Mapping[str, str]) -> str:
    """A whole key is cut to its prefix, so that no page or link repeats a secret."""
    return mask_secrets(query.get("q", ""))[:LONGEST_SEARCH]


def _id(query: Mapping[str, str], name: str) -> str | None:
    text = query.get(name, "").strip()
    return text if text.isascii() and text.isprintable() and text else None


def _window(page: Page) -> Window:
    older_than, newer_than = _position(page, "before"), _position(page, "after")
    return Window(PAGE_SIZE, after=older_than, before=newer_than, backwards=newer_than is not None)


def _position(page: Page, name: str) -> Position | None:
    text = page.query.get(name, "")
    return (int(text),) if text.isascii() and text.isdigit() and len(text) <= _LONGEST_POSITION else None


@get("/w/{slug:str}/settings/audit")
async def short(page: NamedDependency[Page]) -> Response[str]:
    return page.go(with_query(page.to("settings", "audit-log"), **page.query))


HANDLERS = (log, export, short)
