"""The fields that an operation touches and its cost, found by walking it along the schema before execution.

The cost is the number of fields that are resolved if every list has its maximum length: a page as many as requested, any
other list as many as it may ever have; and, where reading is expensive, the rows read. A point is what a field of a plain
page takes to compute, 3 to 10 µs; no point takes four times as long (`tests/api/test_measured_cost.py`).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, cast

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLCompositeType,
    GraphQLError,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    VariableNode,
    get_argument_values,
    get_named_type,
    get_nullable_type,
    is_composite_type,
    is_list_type,
)
from graphql.execution.values import VariableValues

from app import ids
from app.alerts.rules import RULES
from app.alerts.suspension_service import MOST_PREVIEWED
from app.api.execution.limits import INTROSPECTION_ROOTS
from app.clock import DAY
from app.keys.service import MOST_AT_ONCE
from app.rotations.rotation import ROTATION_ID
from app.rotations.service import MOST_AT_ONCE as MOST_ROTATED_AT_ONCE
from app.usage.caller import CALLER_ID
from app.usage.ranges import MOST_STEPS, OPEN_DAYS
from app.usage.service import DEFAULT_DAYS, MOST_CALLERS
from app.usage.usage import Granularity
from app.webhooks.webhook import MOST_WEBHOOKS

# 150 to 350 ms of one core, up to four times that at worst, in slices (see `scheduling`).
BUDGET: Final = 25_000
DEFAULT_PAGE: Final = 20
MAXIMUM_PAGE: Final = 100
USUAL_LENGTH: Final = 5
USUAL_LENGTHS: Final = {
    "Workspace.leakedApiKeys": MOST_AT_ONCE,
    "Query.permissions": 20,
    "Query.plans": 10,
    "Query.environments": 10,
    "Query.webhookEvents": 25,
    "Viewer.workspaces": 10,
    "Workspace.webhooks": MOST_WEBHOOKS,
    "ApiKey.labels": 3,
    "ApiKeyPreview.labels": 3,
    "Webhook.events": 1,
    "SuspensionPreview.alerts": MOST_PREVIEWED,
    "AlertMail.choices": len(RULES),
    "Checklist.items": 8,
    "Rotation.callers": 200,
    "RotationNotReady.callers": 200,
    "RevocationImpact.callers": 200,
    "Usage.byCaller": MOST_CALLERS,
    **{f"{verb}ApiKeysPayload.results": MOST_AT_ONCE for verb in ("Update", "Suspend", "Resume", "Revoke")},
    "RotateApiKeysPayload.results": MOST_ROTATED_AT_ONCE,
    "__Schema.types": 120,
    "__Schema.directives": 6,
    "__Type.interfaces": 1,
    "__Type.possibleTypes": 1,
    "__Type.inputFields": 2,
    "__Type.enumValues": 2,
    "__Field.args": 1,
    "__Directive.args": 1,
}
# A rotation's state depends on the callers of both its keys, up to 400, and costs at least this; its callers, if requested,
# cost more. At a higher cost a page of 100 would exceed the budget.
RUN: Final = 220
AT_LEAST: Final = {"ApiKey.rotation": RUN, "Workspace.rotations": RUN}
# The same for objects found by an id of these types, with the reads that find them and check access.
NODES: Final = {ROTATION_ID: 320, CALLER_ID: 320}
# A change waits for its workspace's lock and writes: two milliseconds, for each of the things that one mutation changes.
CHANGE: Final = 200
# A rotation also makes a key and reads the callers of both.
CHANGES: Final = {"rotateApiKey": 2 * CHANGE, "rotateApiKeys": 2 * CHANGE}
# An event of a subscription: its reader is authenticated and authorized again.
EVENT: Final = 100
# The cost of reading these in addition to their fields: a key has up to 200 callers, and a list of a workspace is a statement
# or two, also where each key of a page shows its workspace.
STATEMENTS: Final = 50
READINGS: Final = {
    **{f"Workspace.{name}": STATEMENTS for name in ("apiKeys", "rotations", "members", "invitations", "alerts")},
    "Workspace.managementKeys": STATEMENTS,
    "Workspace.webhooks": STATEMENTS,
    "Query.workspaces": STATEMENTS,
    # A statement for each workspace of a page.
    "Workspace.updatedAt": 10,
    "Webhook.deliveries": STATEMENTS,
    "ApiKey.requests": STATEMENTS,
    "Workspace.leakedApiKeys": STATEMENTS,
    # It reads all living keys, and which of their permissions were used.
    "Workspace.checklist": 20 * STATEMENTS,
    # Two conditions that rarely apply together read all rows that meet one of them.
    "Workspace.auditEvents": 4 * STATEMENTS,
    "ApiKey.callers": 300,
    # Up to 200, in one statement for all keys of a page.
    "ApiKey.alerts": 300,
    "ApiKey.expectedUse": 20,
    "Workspace.automaticSuspension": STATEMENTS,
    "Workspace.alertMail": STATEMENTS,
    # Up to 200 alerts with their keys.
    "AutomaticSuspension.preview": 700,
    "ApiKey.revocationImpact": 300,
    "ApiKey.unusedPermissions": 20,
    # The days of several years, of a key and of all keys of its lineage.
    "ApiKey.allTimeUsage": 100,
    "ApiKey.lineageUsage": 300,
}
# The cost of reading each step of a usage; one of a workspace is a sum over all its keys, except for days that are closed.
STEPS_READ: Final = {"ApiKey.usage": 2, "Workspace.usage": 40}
CLOSED_READ: Final = 2
# The cost of reading the callers of a usage: those of a key, or of all keys of a workspace.
CALLERS: Final = "Usage.byCaller"
CALLERS_READ: Final = {"ApiKey.usage": 300, "Workspace.usage": 8_000}
# The cost of each step in a series in addition to its fields.
POINT: Final = 2
# The arguments of the enclosing field decide how many steps a series has.
SPANS: Final = frozenset(STEPS_READ)
SERIES: Final = "Usage.series"
NODE: Final = "Query.node"
# Introspection resolves from memory, several times faster than data.
INTROSPECTION_DISCOUNT: Final = 5


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of an operation. `coordinates`: every `Type.field` it can touch, without introspection; `variables`: those that
    affected the cost; `per_step`: cost per step of a series, multiplied once the number of steps is known."""

    coordinates: frozenset[str] = frozenset()
    cost: int = 0
    per_step: int = 0
    variables: frozenset[str] = frozenset()

    def plus(self, other: Cost) -> Cost:
        return Cost(
            self.coordinates | other.coordinates,
            self.cost + other.cost,
            self.per_step + other.per_step,
            self.variables | other.variables,
        )


FREE: Final = Cost()


def cost_of(
    schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode, variables: VariableValues | None
) -> Cost:
    """The cost of one operation of a valid document, for coerced variables; None: they are not known."""
    root = schema.get_root_type(operation.operation)
    return _Walk(schema, document, variables).of(root, operation.selection_set) if root else FREE


class _Walk:
    def __init__(self, schema: GraphQLSchema, document: DocumentNode, variables: VariableValues | None) -> None:
        self._schema, self._variables = schema, variables
        self._fragments = {item.name.value: item for item in document.definitions if isinstance(item, FragmentDefinitionNode)}
        self._billed: dict[str, Cost] = {}

    def of(self, parent: GraphQLCompositeType, selection_set: SelectionSetNode | None) -> Cost:
        total = FREE
        for selection in selection_set.selections if selection_set else ():
            total = total.plus(self._selection(parent, selection))
        return total

    def _selection(self, parent: GraphQLCompositeType, selection: SelectionNode) -> Cost:
        if isinstance(selection, FieldNode):
            return self._field(parent, selection)
        if isinstance(selection, FragmentSpreadNode):
            return self._fragment(selection.name.value)
        return self._inline(parent, selection) if isinstance(selection, InlineFragmentNode) else FREE

    def _inline(self, parent: GraphQLCompositeType, selection: InlineFragmentNode) -> Cost:
        condition = selection.type_condition
        return self.of(self._type(condition.name.value) if condition else parent, selection.selection_set)

    def _fragment(self, name: str) -> Cost:
        if name not in self._billed:
            fragment = self._fragments[name]
            self._billed[name] = self.of(self._type(fragment.type_condition.name.value), fragment.selection_set)
        return self._billed[name]

    def _field(self, parent: GraphQLCompositeType, node: FieldNode) -> Cost:
        name = node.name.value
        definition = self._schema.get_field(parent, name)
        if name == "__typename" or definition is None:
            return Cost(cost=1)
        kind = get_named_type(definition.type)
        inner = self.of(kind, node.selection_set) if is_composite_type(kind) else FREE
        if parent.name.startswith("__"):
            return replace(inner, cost=1 + _usual_length(parent, node, definition) * inner.cost)
        if name in INTROSPECTION_ROOTS:
            return replace(inner, cost=1 + inner.cost // INTROSPECTION_DISCOUNT)
        return replace(self._priced(parent, node, definition, inner), coordinates=inner.coordinates | {f"{parent.name}.{name}"})

    def _priced(self, parent: GraphQLCompositeType, node: FieldNode, definition: GraphQLField, inner: Cost) -> Cost:
        coordinate = f"{parent.name}.{node.name.value}"
        if coordinate == SERIES:
            return replace(inner, cost=1, per_step=inner.cost + POINT)
        if parent.name == "Mutation":
            changed, names = self._changed(definition, node)
            each = CHANGES.get(node.name.value, CHANGE)
            return Cost(cost=1 + inner.cost + each * max(changed, 1), variables=inner.variables | names)
        if parent.name == "Subscription":
            return replace(inner, cost=1 + inner.cost + EVENT)
        if coordinate in SPANS:
            given, names = self._given(definition, node, "since", "until", "granularity")
            # Each step is read and summed even if no series is selected.
            cost = 1 + inner.cost + steps(**given) * max(inner.per_step, 1) + steps_read(coordinate, **given)
            cost += CALLERS_READ[coordinate] if CALLERS in inner.coordinates else 0
            return Cost(cost=cost, variables=inner.variables | names)
        each = max(inner.cost, AT_LEAST.get(coordinate, 0))
        if is_connection(definition):
            given, names = self._given(definition, node, "first", "last")
            cost = 1 + _page(given) * each + READINGS.get(coordinate, 0)
            return Cost(cost=cost, variables=inner.variables | names)
        if coordinate == NODE:
            given, names = self._given(definition, node, "id")
            reading = max((cost for kind, cost in NODES.items() if ids.is_a(kind, given.get("id", ""))), default=0)
            return Cost(cost=1 + max(inner.cost, reading), variables=inner.variables | names)
        return replace(inner, cost=1 + _usual_length(parent, node, definition) * each + READINGS.get(coordinate, 0))

    def _changed(self, definition: GraphQLField, node: FieldNode) -> tuple[int, frozenset[str]]:
        """How many things a mutation changes, and the variables that this depends on."""
        input_type = cast("GraphQLInputObjectType", get_named_type(definition.args["input"].type))
        if "ids" not in input_type.fields:
            return 1, frozenset()
        given, names = self._given(definition, node, "input")
        return len(given.get("input", {}).get("ids", "1")), names

    def _given(self, definition: GraphQLField, node: FieldNode, *names: str) -> tuple[dict[str, Any], frozenset[str]]:
        """The arguments as the resolver will get them, by the schema's names, and the variables they contain."""
        written = {item.name.value: item.value for item in node.arguments or ()}
        used = (value for name, value in written.items() if name in names)
        variables = frozenset(value.name.value for value in used if isinstance(value, VariableNode))
        own = {argument.out_name or name: name for name, argument in definition.args.items()}
        try:
            values = {own[name]: value for name, value in get_argument_values(definition, node, self._variables).items()}
        except GraphQLError:  # the variables are not known
            return {}, variables
        return {name: values[name] for name in names if name in values}, variables

    def _type(self, name: str) -> GraphQLCompositeType:
        return cast("GraphQLCompositeType", self._schema.type_map[name])


def is_connection(definition: GraphQLField) -> bool:
    """Whether the field is a page, whose length its arguments decide."""
    return "first" in definition.args and "last" in definition.args


def steps(since: int | None = None, until: int | None = None, granularity: Granularity | None = None) -> int:
    """The number of steps in a series; an invalid or too long period is refused later and reads nothing."""
    end = time.time_ns() // 1000 if until is None else until
    start = end - DEFAULT_DAYS * DAY if since is None else since
    whole = (end - start) // (granularity or Granularity.DAY).length
    return whole + 2 if 0 <= whole <= MOST_STEPS else 1


def steps_read(coordinate: str, granularity: Granularity | None = None, **span: int | None) -> int:
    """The cost of reading the steps of a usage."""
    found = steps(granularity=granularity, **span)
    is_added_up = coordinate == "Workspace.usage" and granularity is not Granularity.HOUR
    # Today and tomorrow's beginning are steps, too.
    open_ = min(found, OPEN_DAYS + 2) if is_added_up else found
    return open_ * STEPS_READ[coordinate] + (found - open_) * CLOSED_READ


def _page(sizes: Mapping[str, Any]) -> int:
    """The page size; one outside 1 to 100 is refused later and costs nothing."""
    given = [min(max(size, 1), MAXIMUM_PAGE) for size in sizes.values() if isinstance(size, int)]
    return max(given, default=DEFAULT_PAGE)


def _usual_length(parent: GraphQLCompositeType, node: FieldNode, definition: GraphQLField) -> int:
    # The lists of a page were already multiplied by its size.
    if parent.name.endswith("Connection") or not is_list_type(get_nullable_type(definition.type)):
        return 1
    return USUAL_LENGTHS.get(f"{parent.name}.{node.name.value}", USUAL_LENGTH)
