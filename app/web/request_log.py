"""The log of a key's requests, and the page of one: why it was refused, and what fixes it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from app import catalogue, ids
from app.access.policy import Action
from app.clock import rfc3339
from app.keys import service as keys
from app.keys.secret import mask_secrets
from app.request_log import service as request_log
from app.request_log.explanation import Explanation, explain
from app.request_log.request import LONGEST_SEARCH, REQUEST_ID, LoggedRequest, RequestFilter
from app.verification.verdict import Code
from app.web.framework.dates import midnight
from app.web.framework.page import Page, with_query
from app.web.framework.paging import position_text, window
from app.web.key_creation import LIST

PAGE_SIZE: Final = 50
FILTERS: Final = ("outcome", "permission", "q", "since", "until")
# Codes that name a key, which alone has a log.
REFUSALS: Final = tuple(code for code in Code if code not in (Code.VALID, Code.MALFORMED, Code.NOT_FOUND))
# An id alone, or as a problem's `instance` has it.
_ID: Final = re.compile(r"(?:urn:keydesk:request:)?(req_\w{20})")


@get(f"{LIST}/{{key_id:str}}/requests")
async def listing(page: NamedDependency[Page], key_id: FromPath[str]) -> Response[str]:
    page.require(Action.READ_USAGE)
    wanted = filter_from(page.query, page.zone)
    if request_id := request_id_in(wanted.search):
        return page.go(page.to("requests", request_id))
    key = await keys.find(page.access, key_id)
    found = await request_log.requests(page.access, key, window(page, PAGE_SIZE), wanted)
    shown = found.items
    newer, older = [position_text(each.at, each.id) for each in (shown[0], shown[-1])] if shown else (None, None)
    query = {name: page.query.get(name) for name in FILTERS} | {"q": wanted.search}

    def explained(request: LoggedRequest) -> Explanation:
        return explain(request, key, page.now, page.zone)

    return page.show(
        "request_log/list.html",
        key=key,
        requests=shown,
        total=await request_log.count(page.access, key, wanted),
        explained=explained,
        wanted=wanted,
        chosen=page.query.get("outcome", ""),
        query=query,
        is_filtered=wanted != RequestFilter(),
        is_kept=page.access.workspace.logs_requests,
        refusals=REFUSALS,
        permissions=sorted({*catalogue.current().permissions, *key.permissions}),
        newer=with_query(page.path, **query, before=newer) if found.has_previous else None,
        older=with_query(page.path, **query, after=older) if found.has_next else None,
    )


@get("/w/{slug:str}/requests/{request_id:str}")
async def detail(page: NamedDependency[Page], request_id: FromPath[str]) -> Response[str]:
    request, key = await request_log.find(page.access, request_id)
    explanation = explain(request, key, page.now, page.zone)
    return page.show(
        "request_log/page.html",
        request=request,
        key=key,
        explanation=explanation,
        is_over=key.is_over(page.now),
        moment=rfc3339(request.at),
    )


def filter_from(query: Mapping[str, str], zone: str) -> RequestFilter:
    """The list's filter; values that cannot be read are ignored. Both days are included."""
    outcome = query.get("outcome", "").upper()
    return RequestFilter(
        accepted={"ACCEPTED": True, "REFUSED": False}.get(outcome),
        outcomes=(outcome,) if outcome in REFUSALS else (),
        permission=query.get("permission", "")[:LONGEST_SEARCH] or None,
        search=mask_secrets(query.get("q", "").strip())[:LONGEST_SEARCH],
        since=midnight(query.get("since", ""), zone),
        until=midnight(query.get("until", ""), zone, days=1),
    )


def request_id_in(search: str) -> str | None:
    """The id of a request if the text is nothing else."""
    found = _ID.fullmatch(search.strip())
    return found[1] if found and ids.is_a(REQUEST_ID, found[1]) else None


HANDLERS = (listing, detail)
