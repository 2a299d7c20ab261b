"""Variables for the explorer's operations, with ids from the caller's own workspace, so that each can be run as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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

from app import catalogue
from app.access.policy import Action
from app.alerts import service as alerts
from app.keys import service as keys
from app.management_keys import service as management_keys
from app.paging import Window
from app.paths import OPERATIONS
from app.request_log import service as request_log
from app.rotations import service as rotations
from app.tenancy.service import Access
from app.webhooks import service as webhooks

# What the `id` of an operation names, by its folder, and where it names something else.
_IDS: Final = {
    "alerts": "alert",
    "keys": "apiKey",
    "management": "managementKey",
    "requests": "request",
    "rotations": "rotation",
    "webhooks": "webhook",
    "requests/list": "apiKey",
    "rotations/start": "apiKey",
    "webhooks/redeliver": "delivery",
}
# These cannot be undone, so the caller chooses on what they run.
_NEVER_FILLED: Final = frozenset(
    {"keys/revoke", "management/revoke", "rotations/complete", "webhooks/delete", "webhooks/rotate-secret"}
)


@dataclass(frozen=True, slots=True)
class Operation:
    """A published operation: its path without ending, its name, its text, and its variables with empty values."""

    path: str
    name: str
    text: str
    variables: Mapping[str, Any]

    def filled(self, own: Mapping[str, str]) -> dict[str, Any]:
        """The variables with the caller's own ids and names."""
        folder = self.path.partition("/")[0]
        of_id = _IDS.get(self.path, _IDS.get(folder, ""))
        known = {**own, "id": "" if self.path in _NEVER_FILLED else own.get(of_id, "")}
        return {name: _filled(name, value, known) for name, value in self.variables.items()}


def published(schema: GraphQLSchema) -> list[Operation]:
    paths = sorted(path.relative_to(OPERATIONS).with_suffix("").as_posix() for path in OPERATIONS.rglob("*.graphql"))
    return [_operation(schema, path, (OPERATIONS / f"{path}.graphql").read_text(encoding="utf-8")) for path in paths]


async def own_values(access: Access) -> dict[str, str]:
    """The newest object of each kind in the workspace, as far as the caller may read it, and names to choose from."""
    environment = next(iter(catalogue.current().environments))
    found = {"workspace": access.workspace.slug, "plan": access.workspace.plan, "environment": environment}
    if access.may(Action.READ_KEYS):
        newest = (await keys.page(access, Window(1))).items
        found |= _first("apiKey", newest) | _first("alert", await alerts.newest(access, 1))
        if newest and access.may(Action.READ_USAGE):
            found |= _first("request", (await request_log.requests(access, newest[0], Window(1))).items)
    if access.may(Action.READ_ROTATIONS):
        found |= _first("rotation", [each.rotation for each in (await rotations.page(access, Window(1))).items])
    if access.may(Action.READ_MANAGEMENT_KEYS):
        found |= _first("managementKey", (await management_keys.page(access, Window(1))).items)
    if access.may(Action.READ_WEBHOOKS) and (made := await webhooks.webhooks(access)):
        found |= _first("webhook", made) | _first("delivery", (await webhooks.deliveries(access, made[0], Window(1))).items)
    return found


def _first(name: str, things: Sequence[Any]) -> dict[str, str]:
    return {name: things[0].id} if things else {}


def _filled(name: str, value: Any, known: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {inner: _filled(inner, each, known) for inner, each in value.items()}
    return known.get(name, value) if value in ("", None) else value


def _operation(schema: GraphQLSchema, path: str, text: str) -> Operation:
    """Its variables are those that it requires, and the workspace."""
    node = next(item for item in parse(text).definitions if isinstance(item, OperationDefinitionNode))
    given = {item.variable.name.value: item for item in node.variable_definitions or ()}
    wanted = [
        name
        for name, item in given.items()
        if name == "workspace" or (item.type.kind == "non_null_type" and not item.default_value)
    ]
    kinds = {name: type_from_ast(schema, given[name].type) for name in wanted}
    name = node.name.value if node.name else path
    return Operation(path, name, text, {name: _empty(kind) for name, kind in kinds.items() if kind is not None})


def _empty(kind: GraphQLType) -> Any:
    nullable = kind.of_type if is_non_null_type(kind) else kind
    if is_input_object_type(nullable):
        wanted = {name: item.type for name, item in nullable.fields.items() if name == "workspace" or is_required_input_field(item)}
        return {name: _empty(item) for name, item in wanted.items()}
    if is_enum_type(nullable):
        return next(iter(nullable.values))
    return [] if is_list_type(nullable) else ""
