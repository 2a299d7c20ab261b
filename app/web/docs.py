"""The documentation, also for those who are not signed in: it is the same as in the public source, with this installation's
address in its commands."""

from __future__ import annotations

import asyncio

from litestar import Response, get
from litestar.di import NamedDependency

from app.errors import NotFound
from app.web.framework.page import Page
from app.web.presentation import guides
from app.web.presentation.guides import PATH


@get(
    [
        PATH,
        f"{PATH}/{{name:str}}",
        f"{PATH}/decisions",
        f"{PATH}/decisions/{{name:str}}",
        f"{PATH}/examples/{{name:str}}",
        f"{PATH}/img/{{name:str}}",
    ]
)
async def documentation(page: NamedDependency[Page], origin: NamedDependency[str]) -> Response[str] | Response[bytes]:
    name = page.path.removeprefix(PATH).strip("/")
    try:
        # In a thread, because rendering the longest for the first time takes some thirty milliseconds.
        guide = await asyncio.to_thread(guides.guide, name, origin)
    except NotFound:
        file = guides.file(name)
        return Response(file.content, media_type=file.media_type)
    return page.show("docs/page.html", guide=guide, contents=guides.contents())


HANDLERS = (documentation,)
