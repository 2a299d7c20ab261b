"""The schema: every noun's part joined, and its text as it is published."""

from __future__ import annotations

from typing import Final

import strawberry
from graphql import (
    GraphQLNamedType,
    GraphQLSchema,
    build_schema,
    is_input_object_type,
    is_introspection_type,
    is_specified_scalar_type,
    print_type,
)
from strawberry.schema.config import StrawberryConfig

from app.access import fields
from app.api import descriptions, nodes
from app.api.catalogue import CatalogueQuery
from app.api.connection import Node
from app.api.context import Info
from app.api.errors import HANDLERS
from app.api.key_changes import ApiKeyMutation
from app.api.management import ManagementKeyMutation
from app.api.members import MemberMutation
from app.api.resolving import field
from app.api.rotation_changes import RotationMutation
from app.api.scalars import SCALARS, given
from app.api.verification import VerificationMutation
from app.api.viewer import Viewer
from app.api.workspace_changes import WorkspaceMutation
from app.api.workspaces import Workspace
from app.errors import NotFound, ValidationFailed
from app.tenancy import service as tenancy


@strawberry.type
class RootQuery:
    @field("Who is asking, and where they may act.")
    def viewer(self, info: Info) -> Viewer:
        return Viewer.of(info.context.actor)

    @field(
        "A workspace by its slug; left out, the caller's only one. Null when there is no such workspace, or the slug was left\n"
        "out by a caller who has several."
    )
    async def workspace(self, info: Info, slug: str | None = strawberry.UNSET) -> Workspace | None:
        try:
            return Workspace.of(await tenancy.seen(info.context.actor, given(slug)), info.context.actor)
        except (NotFound, ValidationFailed):
            return None

    @field(
        "Anything that has an id: `key_…`, `rot_…`, `cal_…`, `wsp_…`, `mgk_…`, `mem_…`, `inv_…`, `aud_…`. Null when\n"
        "there is no such thing."
    )
    async def node(self, info: Info, id: strawberry.ID) -> Node | None:
        return await nodes.find(info.context, id)


@strawberry.type(description="Reads. An id that belongs to somebody else answers exactly as one that does not exist.")
class Query(RootQuery, CatalogueQuery):
    pass


@strawberry.type(
    description=(
        "Changes. Each takes one `input` and answers its payload or one of the problems it can meet. The answer is null only when\n"
        "the server failed, which `errors` then says; what other mutations of the same document did stands."
    )
)
class Mutation(ApiKeyMutation, RotationMutation, VerificationMutation, WorkspaceMutation, MemberMutation, ManagementKeyMutation):
    pass


# One schema per process. Never `sort_schema=True`: it breaks every union that is returned.
SCHEMA: Final = strawberry.Schema(Query, Mutation, config=StrawberryConfig(scalar_map=SCALARS), exception_handlers=HANDLERS)
descriptions.describe(SCHEMA._schema)


def core() -> GraphQLSchema:
    """The schema that graphql-core executes. RuntimeError if it has a field without a row in the table of fields."""
    schema = SCHEMA._schema
    if open_fields := without_row(schema):
        raise RuntimeError(f"not in app/access/fields.py: {', '.join(open_fields)}")
    return schema


def without_row(schema: GraphQLSchema) -> list[str]:
    """Every `Type.field` that the policy does not know."""
    kinds = [kind for kind in schema.type_map.values() if not is_introspection_type(kind)]
    coordinates = [
        f"{kind.name}.{name}" for kind in kinds for name in getattr(kind, "fields", {}) if not is_input_object_type(kind)
    ]
    return [coordinate for coordinate in coordinates if coordinate not in fields.FIELDS]


def sdl() -> str:
    """The published text: Query and Mutation, then all types by name, fields in the order in which they are read best."""
    schema = build_schema(SCHEMA.as_str())
    kinds = [kind for kind in schema.type_map.values() if not (is_introspection_type(kind) or is_specified_scalar_type(kind))]
    return "\n\n".join(print_type(kind) for kind in sorted(kinds, key=_rank)) + "\n"


def _rank(kind: GraphQLNamedType) -> tuple[int, str]:
    roots = ("Query", "Mutation")
    return (roots.index(kind.name) if kind.name in roots else len(roots), kind.name)
