"""The folders of a workspace, and a form for one more."""

from __future__ import annotations

from typing import Final

from litestar import Response, get, post
from litestar.di import NamedDependency

from app.folders import service
from app.web.framework.page import Page

FOLDERS: Final = "/w/{slug:str}/settings/folders"


@get(FOLDERS)
async def folders(page: NamedDependency[Page]) -> Response[str]:
    return page.show("folders/list.html", folders=await service.of_workspace(page.access))


@post(FOLDERS, status_code=200)
async def create(page: NamedDependency[Page]) -> Response[str]:
    await service.create(page.actor, page.slug, page.form.text("name"))
    return page.go(page.to("settings", "folders"))


HANDLERS = (folders, create)
