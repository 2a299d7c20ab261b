"""The calendar of a workspace's keys: the feed, which its secret link opens without a session, and the page of that link."""

from __future__ import annotations

from typing import Final

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from app.calendar import service as calendars
from app.calendar.service import PATH, SUFFIX
from app.errors import NotFound
from app.keys.idempotency import RepeatedRequest
from app.web.framework.page import Page

SETTINGS: Final = "/w/{slug:str}/settings/calendar"


@get(f"{PATH}{{name:str}}")
async def feed(page: NamedDependency[Page], name: FromPath[str]) -> Response[bytes]:
    """Not cached, like every page: a withdrawn link must show nothing any more, and calendars fetch the feed a few times a day."""
    if not name.endswith(SUFFIX):
        raise NotFound("calendar")
    content = await calendars.read(name.removesuffix(SUFFIX))
    headers = {"content-disposition": 'inline; filename="keydesk.ics"'}
    return Response(content, media_type="text/calendar", headers=headers)


@get(SETTINGS)
async def link(page: NamedDependency[Page]) -> Response[str]:
    return page.show("calendar/page.html", link=await calendars.find_link(page.access))


@post(SETTINGS, status_code=200)
async def renew(page: NamedDependency[Page]) -> Response[str]:
    """Shows the link only in this response. The same form sent twice makes one link; the second response says that it exists."""
    try:
        made = await calendars.renew_link(page.actor, page.slug, idempotency_key=page.form.sending)
    except RepeatedRequest:
        return page.go(page.to("settings", "calendar"))
    return page.show("calendar/made.html", 201, link=made)


@post(f"{SETTINGS}/withdrawal", status_code=200)
async def withdraw(page: NamedDependency[Page]) -> Response[str]:
    await calendars.withdraw_link(page.actor, page.slug)
    return page.go(page.to("settings", "calendar"))


HANDLERS = (feed, link, renew, withdraw)
