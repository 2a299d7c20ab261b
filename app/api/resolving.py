"""Strawberry's decorators for fields with a description, typed so that what they decorate stays typed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar, cast

import strawberry
from strawberry.annotation import StrawberryAnnotation
from strawberry.extensions import FieldExtension
from strawberry.types.arguments import StrawberryArgument
from strawberry.types.field import StrawberryField

from app.access import fields
from app.api.cursors import Cut
from app.api.scalars import given

_ENDS: Final = {"first": int, "after": str, "last": int, "before": str}
_SIZES: Final = {"first": "1 to 100; 20 when neither is given.", "last": "1 to 100, from the end."}

Resolver = TypeVar("Resolver", bound=Callable[..., Any])


class Guard(FieldExtension):
    """A management key without the scope gets NotAllowed as the mutation's answer, whatever the input names."""

    async def resolve_async(self, next_: Callable[..., Awaitable[Any]], source: Any, info: strawberry.Info, **kwargs: Any) -> Any:
        fields.require_mutation(info.context.actor, info.field_name)
        return await next_(source, info, **kwargs)


class Paged(FieldExtension):
    """The four arguments of a connection; its function gets them as one `cut`."""

    def apply(self, field: StrawberryField) -> None:
        paging = [
            StrawberryArgument(
                name, None, StrawberryAnnotation(kind | None), description=_SIZES.get(name), default=strawberry.UNSET
            )
            for name, kind in _ENDS.items()
        ]
        field.arguments = [*paging, *(argument for argument in field.arguments if argument.python_name != "cut")]

    async def resolve_async(self, next_: Callable[..., Awaitable[Any]], source: Any, info: strawberry.Info, **kwargs: Any) -> Any:
        cut = Cut(**{name: given(kwargs.pop(name, None)) for name in _ENDS})
        return await next_(source, info, cut=cut, **kwargs)


def field(description: str) -> Callable[[Resolver], Resolver]:
    """A field that its function resolves."""
    return cast("Callable[[Resolver], Resolver]", strawberry.field(description=description))


def paged(description: str | None = None) -> Callable[[Resolver], Resolver]:
    """A connection that its function resolves from `cut`, and from the arguments that it has beside."""
    return cast("Callable[[Resolver], Resolver]", strawberry.field(description=description, extensions=[Paged()]))


def mutation(description: str) -> Callable[[Resolver], Resolver]:
    """A mutation that its function resolves, after the table of fields was asked; the use case decides the rest."""
    return cast("Callable[[Resolver], Resolver]", strawberry.mutation(description=description, extensions=[Guard()]))
