"""Reads everything: every field of the published GraphQL contract, and every page that is linked."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass

from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    build_schema,
    get_named_type,
    is_leaf_type,
)

from app.paths import OPERATIONS
from tests.support.visitor import Visitor

# Links that are not followed: they would sign the reader out, or lead to files.
_LEFT_OUT = re.compile(r"/static/|/sign-out|#")
_LINK = re.compile(r'(?:href|hx-get)="(/[^"]*)"')


@dataclass(frozen=True)
class Read:
    """A query of every leaf field of one type, through the shortest path to it."""

    type: str
    query: str


def reads(slug: str, ids: dict[str, str]) -> Iterator[Read]:
    """One query for every object type that a member can reach. `ids`: the id of one object of each type that `node` finds."""
    schema = build_schema((OPERATIONS.parent / "schema.graphql").read_text(encoding="utf-8"))
    assert schema.query_type is not None
    seen: set[str] = set()
    waiting: list[tuple[GraphQLObjectType, tuple[str, ...]]] = [(schema.query_type, ())]
    while waiting:
        kind, path = waiting.pop(0)
        if kind.name in seen:
            continue
        seen.add(kind.name)
        leaves = [name for name, field in kind.fields.items() if is_leaf_type(get_named_type(field.type))]
        if leaves:
            yield Read(kind.name, _nested(path, " ".join(leaves)))
        for name, field in kind.fields.items():
            if "Only for operator keys" in (field.description or ""):
                continue
            waiting += [(found, (*path, *step)) for found, step in _steps(schema, name, field, slug, ids)]


def _steps(
    schema: GraphQLSchema, name: str, field: GraphQLField, slug: str, ids: dict[str, str]
) -> Iterator[tuple[GraphQLObjectType, tuple[str, ...]]]:
    """The types behind a field, and the text of the path to them."""
    target = get_named_type(field.type)
    if isinstance(target, GraphQLObjectType):
        yield target, (f'{name}(slug: "{slug}")' if "slug" in field.args else name,)
    elif isinstance(target, GraphQLInterfaceType | GraphQLUnionType):
        for possible in schema.get_possible_types(target):
            if "id" not in field.args:
                yield possible, (name, f"... on {possible.name}")
            elif possible.name in ids:
                yield possible, (f'{name}(id: "{ids[possible.name]}")', f"... on {possible.name}")


def _nested(path: tuple[str, ...], leaves: str) -> str:
    return "{ " + "".join(f"{step} {{ " for step in path) + leaves + " }" * len(path) + " }"


async def crawl(visitor: Visitor, *starts: str) -> dict[str, int]:
    """Every page linked from these, with its status, once complete and once as HTMX requests it."""
    found: dict[str, int] = {}
    waiting = ["/", *starts]
    while waiting:
        path = waiting.pop()
        if path in found or _LEFT_OUT.search(path):
            continue
        answer = await visitor.get(path, accept="text/html")
        found[path] = answer.status_code
        await visitor.get(path, accept="text/html", **{"hx-request": "true"})
        waiting += [html.unescape(link) for link in _LINK.findall(answer.text)]
        if location := answer.headers.get("location"):
            waiting.append(location)
    return found
