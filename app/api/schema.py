"""The schema, composed of every noun's part, and its published SDL."""

from __future__ import annotations

from typing import Final

import strawberry
from graphql import (
    GraphQLNamedType,
    GraphQLSchema,
    build_schema,
    is_introspection_type,
    is_specified_scalar_type,
    print_type,
)
from strawberry.schema.config import StrawberryConfig

from app.access.policy import AnyAction
from app.api.alert_mail import AlertMailMutation
from app.api.alerts import AlertMutation
from app.api.automatic_suspension import AutomaticSuspensionMutation
from app.api.bulk_key_mutations import BulkKeyMutation
from app.api.catalogue import CatalogueQuery
from app.api.checklist import ChecklistMutation
from app.api.errors import HANDLERS
from app.api.framework import authorization, descriptions, nodes
from app.api.framework.authorization import ANYONE
from app.api.framework.connection import Node
from app.api.framework.context import Info
from app.api.framework.decorators import field
from app.api.framework.scalars import SCALARS, unset_to_none
from app.api.key_mutations import ApiKeyMutation
from app.api.key_replacement_mutations import KeyReplacementMutation
from app.api.management_keys import ManagementKeyMutation
from app.api.member_mutations import MemberMutation
from app.api.rotation_mutations import RotationMutation
from app.api.subscriptions import Subscription
from app.api.verification import VerificationMutation
from app.api.viewer import Viewer
from app.api.webhook_mutations import WebhookMutation
from app.api.webhooks import WebhookQuery
from app.api.workspace_directory import WorkspaceDirectoryMutation, WorkspaceQuery
from app.api.workspace_mutations import WorkspaceMutation
from app.api.workspaces import Workspace
from app.errors import NotFound, ValidationFailed
from app.tenancy import service as tenancy


@strawberry.type
class RootQuery:
    @field("Who is asking, and where they may act.", requires=ANYONE)
    def viewer(self, info: Info) -> Viewer:
        return Viewer.of(info.context.actor)

    @field(
        "A workspace by its slug; left out, the caller's only one. Null when there is no such workspace, or the slug was left\n"
        "out by a caller who has several.",
        requires=ANYONE,
    )
    async def workspace(self, info: Info, slug: str | None = strawberry.UNSET) -> Workspace | None:
        try:
            return Workspace.of(await tenancy.seen(info.context.actor, unset_to_none(slug)))
        except (NotFound, ValidationFailed):
            return None

    @field(
        "Anything that has an id: `key_…`, `rot_…`, `cal_…`, `alr_…`, `wsp_…`, `mgk_…`, `mem_…`, `inv_…`, `aud_…`, `whk_…`,\n"
        "`whd_…`, `req_…`. Null when there is no such thing.",
        requires=ANYONE,
    )
    async def node(self, info: Info, id: strawberry.ID) -> Node | None:
        return await nodes.find(info.context, id)


@strawberry.type(description="Reads. An id that belongs to someone else answers exactly as one that does not exist.")
class Query(RootQuery, WorkspaceQuery, CatalogueQuery, WebhookQuery):
    pass


@strawberry.type(
    description=(
        "Changes. Each takes one `input` and answers its payload or one of the problems it can meet. The answer is null only when\n"
        "the server failed, which `errors` then says; what other mutations of the same document did remains."
    )
)
class Mutation(
    ApiKeyMutation,
    BulkKeyMutation,
    KeyReplacementMutation,
    RotationMutation,
    AlertMutation,
    AlertMailMutation,
    AutomaticSuspensionMutation,
    VerificationMutation,
    WorkspaceMutation,
    WorkspaceDirectoryMutation,
    ChecklistMutation,
    MemberMutation,
    ManagementKeyMutation,
    WebhookMutation,
):
    pass


# One schema per process. Never `sort_schema=True`: it breaks every union that is returned.
SCHEMA: Final = strawberry.Schema(
    Query, Mutation, Subscription, config=StrawberryConfig(scalar_map=SCALARS), exception_handlers=HANDLERS
)
# The action that each field requires, by `Type.field`; None: anyone.
ACTIONS: Final[dict[str, AnyAction | None]] = authorization.actions_of(SCHEMA._schema)
descriptions.describe(SCHEMA._schema)
authorization.describe(SCHEMA._schema, ACTIONS)


def core() -> GraphQLSchema:
    """The schema that graphql-core executes. RuntimeError if a field does not declare what it requires."""
    schema = SCHEMA._schema
    if missing := authorization.undeclared(schema, ACTIONS):
        raise RuntimeError(f"without `requires`, at the field or at its type: {', '.join(missing)}")
    return schema


def sdl() -> str:
    """The published SDL: Query, Mutation, Subscription, then all types by name, with fields in the order of their declaration."""
    schema = build_schema(SCHEMA.as_str())
    kinds = [kind for kind in schema.type_map.values() if not (is_introspection_type(kind) or is_specified_scalar_type(kind))]
    return "\n\n".join(print_type(kind) for kind in sorted(kinds, key=_rank)) + "\n"


def _rank(kind: GraphQLNamedType) -> tuple[int, str]:
    roots = ("Query", "Mutation", "Subscription")
    return (roots.index(kind.name) if kind.name in roots else len(roots), kind.name)
