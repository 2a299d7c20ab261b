"""Strawberry's decorators with a description and the required action (`requires=`), typed so that decorated code keeps its type.

A field requires what its type does, unless it declares something else. Inputs require nothing, and neither do the parts of Query
and Mutation, whose fields each declare their own: these are decorated with Strawberry's `input` and `type`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar, cast, dataclass_transform

import strawberry
from strawberry.annotation import StrawberryAnnotation
from strawberry.extensions import FieldExtension
from strawberry.types import get_object_definition
from strawberry.types.arguments import StrawberryArgument
from strawberry.types.field import StrawberryField
from strawberry.types.fields.resolver import StrawberryResolver

from app.access import policy
from app.access.policy import AnyAction
from app.api.framework import authorization
from app.api.framework.authorization import Requirement
from app.api.framework.cursors import ConnectionArgs
from app.api.framework.scalars import unset_to_none

_ENDS: Final = {"first": int, "after": str, "last": int, "before": str}
_SIZES: Final = {"first": "1 to 100; 20 when neither is given.", "last": "1 to 100, from the end."}

Resolver = TypeVar("Resolver", bound=Callable[..., Any])
Kind = TypeVar("Kind", bound=type)


class Guard(FieldExtension):
    """A key without the scope gets NotAllowed as the mutation's answer, for any input."""

    def __init__(self, action: AnyAction) -> None:
        self._action = action

    async def resolve_async(self, next_: Callable[..., Awaitable[Any]], source: Any, info: strawberry.Info, **kwargs: Any) -> Any:
        policy.require_scope(info.context.actor, self._action)
        return await next_(source, info, **kwargs)


class Paged(FieldExtension):
    """The four arguments of a connection; its function gets them as one `args`."""

    def apply(self, field: StrawberryField) -> None:
        paging = [
            StrawberryArgument(
                name, None, StrawberryAnnotation(kind | None), description=_SIZES.get(name), default=strawberry.UNSET
            )
            for name, kind in _ENDS.items()
        ]
        field.arguments = [*paging, *(argument for argument in field.arguments if argument.python_name != "args")]

    async def resolve_async(self, next_: Callable[..., Awaitable[Any]], source: Any, info: strawberry.Info, **kwargs: Any) -> Any:
        args = ConnectionArgs(**{name: unset_to_none(kwargs.pop(name, None)) for name in _ENDS})
        return await next_(source, info, args=args, **kwargs)


def attribute(description: str | None = None, *, requires: Requirement) -> Any:
    """A plain attribute that requires another action than its type."""
    return strawberry.field(description=description, metadata=authorization.metadata(requires))


@dataclass_transform(kw_only_default=True, field_specifiers=(strawberry.field, attribute))
def object_type(description: str | None = None, *, requires: Requirement) -> Callable[[Kind], Kind]:
    """A type; `requires` is for its fields that declare nothing themselves, inherited ones included."""

    def made(kind: Kind) -> Kind:
        authorization.declare(kind, requires)
        return strawberry.type(kind, description=description)

    return made


@dataclass_transform(kw_only_default=True, field_specifiers=(strawberry.field, attribute))
def interface(description: str, *, requires: Requirement) -> Callable[[Kind], Kind]:
    """An interface; `requires` is for fields selected on it. The types that implement it declare their own."""

    def made(kind: Kind) -> Kind:
        authorization.declare(kind, requires)
        return strawberry.interface(kind, description=description)

    return made


def field(description: str, *, requires: Requirement | None = None) -> Callable[[Resolver], Resolver]:
    """A field that its function resolves."""
    made = strawberry.field(description=description, metadata=authorization.metadata(requires))
    return cast("Callable[[Resolver], Resolver]", made)


def extend(
    *kinds: type, name: str, description: str, requires: Requirement | None = None, pages: bool = False
) -> Callable[[Resolver], Resolver]:
    """Adds a field to types from lower modules, before their `id`; in SDL this is `extend type`. `pages`: a connection, as `paged`.

    With it two types can show each other while imports between their modules run one way.
    """

    def add(resolver: Resolver) -> Resolver:
        for kind in kinds:
            known = get_object_definition(kind, strict=True).fields
            id_at = next(index for index, each in enumerate(known) if each.python_name == "id")
            added = StrawberryField(
                name,
                name,
                base_resolver=StrawberryResolver(resolver),
                description=description,
                extensions=[Paged()] if pages else [],
                metadata=authorization.metadata(requires),
            )
            known.insert(id_at, added)
        return resolver

    return add


def paged(description: str | None = None, *, requires: Requirement | None = None) -> Callable[[Resolver], Resolver]:
    """A connection that its function resolves from `args` and the function's other arguments."""
    made = strawberry.field(description=description, extensions=[Paged()], metadata=authorization.metadata(requires))
    return cast("Callable[[Resolver], Resolver]", made)


def subscription(description: str, *, requires: AnyAction) -> Callable[[Resolver], Resolver]:
    """A subscription whose function yields the events; see `events`."""
    made = strawberry.subscription(description=description, metadata=authorization.metadata(requires))
    return cast("Callable[[Resolver], Resolver]", made)


def mutation(description: str, *, requires: AnyAction) -> Callable[[Resolver], Resolver]:
    """A mutation that its function resolves, after the scope for the action was checked; the use case decides the rest."""
    metadata = authorization.metadata(requires)
    made = strawberry.mutation(description=description, extensions=[Guard(requires)], metadata=metadata)
    return cast("Callable[[Resolver], Resolver]", made)
