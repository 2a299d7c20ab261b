"""Strawberry's decorators for fields with a description, typed so that what they decorate stays typed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

import strawberry
from strawberry.extensions import FieldExtension

from app.access import fields

Resolver = TypeVar("Resolver", bound=Callable[..., Any])


class Guard(FieldExtension):
    """A management key without the scope gets NotAllowed as the mutation's answer, whatever the input names."""

    async def resolve_async(self, next_: Callable[..., Awaitable[Any]], source: Any, info: strawberry.Info, **kwargs: Any) -> Any:
        fields.require_mutation(info.context.actor, info.field_name)
        return await next_(source, info, **kwargs)


def field(description: str) -> Callable[[Resolver], Resolver]:
    """A field that its function resolves."""
    return cast("Callable[[Resolver], Resolver]", strawberry.field(description=description))


def mutation(description: str) -> Callable[[Resolver], Resolver]:
    """A mutation that its function resolves, after the table of fields was asked; the use case decides the rest."""
    return cast("Callable[[Resolver], Resolver]", strawberry.mutation(description=description, extensions=[Guard()]))
