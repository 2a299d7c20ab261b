"""The labels of a workspace, and a form for one more."""

from __future__ import annotations

from typing import Final

from litestar import Response, get, post
from litestar.di import NamedDependency

from app.labels import service
from app.web.framework.page import Page

LABELS: Final = "/w/{slug:str}/settings/labels"


@get(LABELS)
async def labels(page: NamedDependency[Page]) -> Response[str]:
    return page.show("labels/list.html", labels=await service.of_workspace(page.access))


@post(LABELS, status_code=200)
async def create(page: NamedDependency[Page]) -> Response[str]:
    await service.create(page.actor, page.slug, page.form.text("name"))
    return page.go(page.to("settings", "labels"))


HANDLERS = (labels, create)
