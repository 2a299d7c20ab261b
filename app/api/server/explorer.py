"""`GET /graphql`: GraphiQL for a signed-in browser, from our own files, with the published operations and the caller's own ids."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from graphql import GraphQLSchema
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from app.access.actor import Actor
from app.api.execution.http import send_body
from app.api.server import examples
from app.api.server.examples import Operation
from app.asgi import Receive, Scope, Send
from app.paths import TEMPLATES
from app.tenancy import service as tenancy
from app.workspaces import service as workspaces

SIGN_IN: Final = "/sign-in?next=/graphql"
# GraphiQL embeds fonts in its style sheet; everything else is as strict as on every other page.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'"
)
# The tabs of a newly opened explorer.
FIRST: Final = ("viewer/show", "workspaces/show", "keys/list", "keys/create")
_TITLES: Final = {"keys": "API keys", "management": "Management keys", "audit": "Audit log"}


@dataclass(frozen=True, slots=True)
class Visitor:
    """The signed-in user."""

    actor: Actor
    name: str


class Explorer:
    """`visitor` returns None without a session; `static_url` returns the URL of a file under `static/`."""

    def __init__(
        self, schema: GraphQLSchema, visitor: Callable[[Scope], Awaitable[Visitor | None]], static_url: Callable[[str], str]
    ) -> None:
        self._visitor, self._operations = visitor, examples.published(schema)
        templates = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined)
        templates.globals["static_url"] = static_url
        self._page = templates.get_template("explorer/page.html")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        visitor = await self._visitor(scope)
        if visitor is None:
            await send_body(send, 303, b"", "text/html", {"location": SIGN_IN})
            return
        access = await workspaces.last_of(visitor.actor, await tenancy.mine(visitor.actor))
        own = await examples.own_values(access) if access else {}
        page = self._page.render(
            visitor=visitor,
            workspace=access.workspace if access else None,
            groups=grouped(self._operations),
            operations=json.dumps(offered(self._operations, own)),
            first=json.dumps([next(item.name for item in self._operations if item.path == path) for path in FIRST]),
        )
        body = b"" if scope["method"] == "HEAD" else page.encode()
        await send_body(send, 200, body, "text/html", {"content-security-policy": POLICY})


def grouped(operations: Iterable[Operation]) -> dict[str, list[Operation]]:
    """The operations by what they are about."""
    folders = groupby(operations, lambda operation: operation.path.partition("/")[0])
    return {_TITLES.get(folder, folder.capitalize()): list(own) for folder, own in folders}


def offered(operations: Iterable[Operation], own: Mapping[str, str]) -> dict[str, Any]:
    """Text and variables of each operation, by its name."""
    return {each.name: {"query": each.text, "variables": json.dumps(each.filled(own), indent=2)} for each in operations}
