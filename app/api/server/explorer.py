"""`GET /graphql`: GraphiQL for a signed-in browser, from our own files, with the published operations as its first tabs."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from graphql import (
    GraphQLSchema,
    GraphQLType,
    OperationDefinitionNode,
    is_enum_type,
    is_input_object_type,
    is_list_type,
    is_non_null_type,
    is_required_input_field,
    parse,
    type_from_ast,
)
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from app.api.execution.http import send_body
from app.asgi import Receive, Scope, Send
from app.paths import OPERATIONS, TEMPLATES

SIGN_IN: Final = "/sign-in?next=/graphql"
# GraphiQL embeds fonts in its style sheet; everything else is as strict as on every other page.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'"
)
FIRST: Final = ("viewer/show", "workspaces/show", "keys/list", "keys/create")


@dataclass(frozen=True, slots=True)
class Visitor:
    """The signed-in user."""

    id: str
    name: str


class Explorer:
    """`visitor` returns None without a session; `static_url` returns the URL of a file under `static/`."""

    def __init__(
        self, schema: GraphQLSchema, visitor: Callable[[Scope], Awaitable[Visitor | None]], static_url: Callable[[str], str]
    ) -> None:
        self._visitor, self._tabs = visitor, json.dumps(tabs(schema))
        templates = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined)
        templates.globals["static_url"] = static_url
        self._page = templates.get_template("explorer/page.html")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        visitor = await self._visitor(scope)
        if visitor is None:
            await send_body(send, 303, b"", "text/html", {"location": SIGN_IN})
            return
        page = self._page.render(visitor=visitor, tabs=self._tabs)
        body = b"" if scope["method"] == "HEAD" else page.encode()
        await send_body(send, 200, body, "text/html", {"content-security-policy": POLICY})


def tabs(schema: GraphQLSchema) -> list[dict[str, str]]:
    """One tab for each published operation, those for beginners first, with variables to fill in."""
    names = sorted(str(path.relative_to(OPERATIONS).with_suffix("")) for path in OPERATIONS.rglob("*.graphql"))
    texts = [(OPERATIONS / f"{name}.graphql").read_text(encoding="utf-8") for name in sorted(names, key=_rank)]
    return [{"query": text, "variables": json.dumps(_variables(schema, text), indent=2)} for text in texts]


def _rank(name: str) -> int:
    return FIRST.index(name) if name in FIRST else len(FIRST)


def _variables(schema: GraphQLSchema, text: str) -> dict[str, Any]:
    """The operation's required variables, with empty values."""
    operation = next(item for item in parse(text).definitions if isinstance(item, OperationDefinitionNode))
    needed = [item for item in operation.variable_definitions or () if item.type.kind == "non_null_type" and not item.default_value]
    kinds = {item.variable.name.value: type_from_ast(schema, item.type) for item in needed}
    return {name: _empty(kind) for name, kind in kinds.items() if kind is not None}


def _empty(kind: GraphQLType) -> Any:
    nullable = kind.of_type if is_non_null_type(kind) else kind
    if is_input_object_type(nullable):
        return {name: _empty(item.type) for name, item in nullable.fields.items() if is_required_input_field(item)}
    if is_enum_type(nullable):
        return next(iter(nullable.values))
    return [] if is_list_type(nullable) else ""
