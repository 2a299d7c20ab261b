"""Renders templates in slices: a page of two hundred rows takes 30 ms, which would block the event loop."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Final

from jinja2 import Template
from litestar import Response
from litestar.enums import MediaType
from litestar.response.base import ASGIResponse

from app.pace import Pace

# So many pieces render in a tenth of a millisecond.
AT_ONCE: Final = 40


class Rendered(Response[str]):
    """A page that is rendered when it is sent. Errors of the template are raised then, before the first byte is sent."""

    def __init__(self, pieces: Iterable[str], pace: Pace, status_code: int, headers: Mapping[str, str]) -> None:
        super().__init__("", status_code=status_code, media_type=MediaType.HTML, headers=headers)
        self._pieces, self._pace = pieces, pace

    def to_asgi_response(self, *given: Any, **named: Any) -> ASGIResponse:
        ready = super().to_asgi_response

        async def rendered(scope: Any, receive: Any, send: Any) -> None:
            self.content = await joined(self._pieces, self._pace)
            await ready(*given, **named)(scope, receive, send)

        return rendered  # type: ignore[return-value]  # Litestar only calls it


async def joined(pieces: Iterable[str], pace: Pace) -> str:
    """Joins all pieces in slices, taking turns with other work of the event loop."""
    rest, found = iter(pieces), list[str]()
    while some := list(islice(rest, AT_ONCE)):
        found += some
        await pace.turn()
    return "".join(found)


def block_of(template: Template, block: str, seen: dict[str, Any]) -> Iterator[str]:
    """The pieces of one block of a template, with the imports and macros from the template's top."""
    context = template.new_context(seen)
    # Everything before the first piece of the parent's text is those imports and macros.
    next(template.root_render_func(context), None)
    yield from template.blocks[block](context)
