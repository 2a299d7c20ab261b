"""What an operation needs and what it costs, found by walking it along the schema before it runs.

The price is the number of fields that will be resolved if every list is as long as it may be: a page as long as it
asked for, any other list as long as it may become; and, where reading is dear, the rows that are read. A point is what a
field of a plain page takes to compute, 6 to 12 µs; nowhere does it take four times as long (`tests/api/test_price.py`).
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
from app.api.limits import INTROSPECTION_ROOTS
from app.clock import DAY
from app.keys.service import MOST_AT_ONCE
from app.usage.service import DEFAULT_DAYS, MOST_STEPS
from app.usage.usage import Granularity

# 150 to 300 ms of one core, up to four times that at worst, in slices (see `execution`).
BUDGET: Final = 25_000
DEFAULT_PAGE: Final = 20
MAXIMUM_PAGE: Final = 100
USUAL_LENGTH: Final = 5
USUAL_LENGTHS: Final = {
    "Query.permissions": 20,
    "Query.plans": 10,
    "Query.environments": 10,
    "Viewer.workspaces": 10,
    "Rotation.callers": 200,
    "RotationNotReady.callers": 200,
    "RevocationImpact.callers": 200,
    "RevokeApiKeysPayload.results": MOST_AT_ONCE,
    "__Schema.types": 120,
    "__Schema.directives": 6,
    "__Type.interfaces": 1,
    "__Type.possibleTypes": 1,
    "__Type.inputFields": 2,
    "__Type.enumValues": 2,
    "__Field.args": 1,
    "__Directive.args": 1,
}
# A rotation is judged by the callers of both its keys, up to 400, and costs at least this; its callers, where they are asked for,
# cost more. With a higher price a page of 100 would be beyond the budget.
RUN: Final = 220
AT_LEAST: Final = {"ApiKey.rotation": RUN, "Workspace.rotations": RUN}
# And what is found by an id of these kinds.
NODES: Final = {ids.ROTATION: RUN, ids.CALLER: RUN}
# A change waits for its workspace's lock and writes: two milliseconds, for each of the things that one mutation changes.
CHANGE: Final = 200
# What reading these costs beside their fields, even if little is selected: a key has up to 200 callers, and a list of a
# workspace is a statement or two, also where each key of a page shows its workspace.
STATEMENTS: Final = 50
READINGS: Final = {
    **{f"Workspace.{name}": STATEMENTS for name in ("apiKeys", "rotations", "members", "invitations")},
    "Workspace.managementKeys": STATEMENTS,
    # Two conditions that hardly ever meet read whatever meets one of them.
    "Workspace.auditEvents": 4 * STATEMENTS,
    "ApiKey.callers": 300,
    "ApiKey.revocationImpact": 300,
    "ApiKey.unusedPermissions": 20,
}
# What reading each step of a usage costs; one of a workspace is a sum over all its keys.
STEPS_READ: Final = {"ApiKey.usage": 2, "Workspace.usage": 270}
# What each step costs beside its fields where a series shows it.
POINT: Final = 2
# A series has as many steps as the arguments of the field around it say.
SPANS: Final = frozenset(STEPS_READ)
SERIES: Final = "Usage.series"
NODE: Final = "Query.node"
# Introspection resolves from memory, several times faster than data.
INTROSPECTION_DISCOUNT: Final = 5


@dataclass(frozen=True, slots=True)
class Bill:
    """`coordinates`: every `Type.field` the operation can touch, introspection left out; `variables`: those that decided on
    the price; `per_step`: cost per step of a series, multiplied once the number of steps is known."""

    coordinates: frozenset[str] = frozenset()
    cost: int = 0
    per_step: int = 0
    variables: frozenset[str] = frozenset()

    def beside(self, other: Bill) -> Bill:
        return Bill(
            self.coordinates | other.coordinates,
            self.cost + other.cost,
            self.per_step + other.per_step,
            self.variables | other.variables,
        )


FREE: Final = Bill()


def bill(
    schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode, variables: VariableValues | None
) -> Bill:
    """The bill of one operation of a valid document, for variables as the execution will see them; None: they are not known."""
    root = schema.get_root_type(operation.operation)
    return _Walk(schema, document, variables).of(root, operation.selection_set) if root else FREE


class _Walk:
    def __init__(self, schema: GraphQLSchema, document: DocumentNode, variables: VariableValues | None) -> None:
        self._schema, self._variables = schema, variables
        self._fragments = {item.name.value: item for item in document.definitions if isinstance(item, FragmentDefinitionNode)}
        self._billed: dict[str, Bill] = {}

    def of(self, parent: GraphQLCompositeType, selection_set: SelectionSetNode | None) -> Bill:
        total = FREE
        for selection in selection_set.selections if selection_set else ():
            total = total.beside(self._selection(parent, selection))
        return total

    def _selection(self, parent: GraphQLCompositeType, selection: SelectionNode) -> Bill:
        if isinstance(selection, FieldNode):
            return self._field(parent, selection)
        if isinstance(selection, FragmentSpreadNode):
            return self._fragment(selection.name.value)
        return self._inline(parent, selection) if isinstance(selection, InlineFragmentNode) else FREE

    def _inline(self, parent: GraphQLCompositeType, selection: InlineFragmentNode) -> Bill:
        condition = selection.type_condition
        return self.of(self._type(condition.name.value) if condition else parent, selection.selection_set)

    def _fragment(self, name: str) -> Bill:
        if name not in self._billed:
            fragment = self._fragments[name]
            self._billed[name] = self.of(self._type(fragment.type_condition.name.value), fragment.selection_set)
        return self._billed[name]

    def _field(self, parent: GraphQLCompositeType, node: FieldNode) -> Bill:
        name = node.name.value
        definition = self._schema.get_field(parent, name)
        if name == "__typename" or definition is None:
            return Bill(cost=1)
        kind = get_named_type(definition.type)
        inner = self.of(kind, node.selection_set) if is_composite_type(kind) else FREE
        if parent.name.startswith("__"):
            return replace(inner, cost=1 + _usual_length(parent, node, definition) * inner.cost)
        if name in INTROSPECTION_ROOTS:
            return replace(inner, cost=1 + inner.cost // INTROSPECTION_DISCOUNT)
        return replace(self._priced(parent, node, definition, inner), coordinates=inner.coordinates | {f"{parent.name}.{name}"})

    def _priced(self, parent: GraphQLCompositeType, node: FieldNode, definition: GraphQLField, inner: Bill) -> Bill:
        coordinate = f"{parent.name}.{node.name.value}"
        if coordinate == SERIES:
            return replace(inner, cost=1, per_step=inner.cost + POINT)
        if parent.name == "Mutation":
            given, names = self._given(definition, node, "input")
            changed = len(given.get("input", {}).get("ids", "1"))
            return Bill(cost=1 + inner.cost + CHANGE * max(changed, 1), variables=inner.variables | names)
        if coordinate in SPANS:
            given, names = self._given(definition, node, "since", "until", "granularity")
            # Each step is read and added up also where no series shows it.
            cost = 1 + inner.cost + steps(**given) * (max(inner.per_step, 1) + STEPS_READ[coordinate])
            return Bill(cost=cost, variables=inner.variables | names)
        each = max(inner.cost, AT_LEAST.get(coordinate, 0))
        if is_connection(definition):
            given, names = self._given(definition, node, "first", "last")
            cost = 1 + _page(given) * each + READINGS.get(coordinate, 0)
            return Bill(cost=cost, variables=inner.variables | names)
        if coordinate == NODE:
            given, names = self._given(definition, node, "id")
            reading = max((cost for kind, cost in NODES.items() if ids.is_a(kind, given.get("id", ""))), default=0)
            return Bill(cost=1 + max(inner.cost, reading), variables=inner.variables | names)
        return replace(inner, cost=1 + _usual_length(parent, node, definition) * each + READINGS.get(coordinate, 0))

    def _given(self, definition: GraphQLField, node: FieldNode, *names: str) -> tuple[dict[str, Any], frozenset[str]]:
        """These arguments as the resolver will get them, by the schema's names, and the variables that said so."""
        written = {item.name.value: item.value for item in node.arguments or ()}
        asked = (value for name, value in written.items() if name in names)
        variables = frozenset(value.name.value for value in asked if isinstance(value, VariableNode))
        own = {argument.out_name or name: name for name, argument in definition.args.items()}
        try:
            values = {own[name]: value for name, value in get_argument_values(definition, node, self._variables).items()}
        except GraphQLError:  # for want of the variables
            return {}, variables
        return {name: values[name] for name in names if name in values}, variables

    def _type(self, name: str) -> GraphQLCompositeType:
        return cast("GraphQLCompositeType", self._schema.type_map[name])


def is_connection(definition: GraphQLField) -> bool:
    """Whether the field is a page: its arguments say how long."""
    return "first" in definition.args and "last" in definition.args


def steps(since: int | None = None, until: int | None = None, granularity: Granularity | None = None) -> int:
    """How many steps a series has; a time that makes no sense, or has too many, is refused later and reads nothing."""
    end = time.time_ns() // 1000 if until is None else until
    start = end - DEFAULT_DAYS * DAY if since is None else since
    whole = (end - start) // (granularity or Granularity.DAY).length
    return whole + 2 if 0 <= whole <= MOST_STEPS else 1


def _page(sizes: Mapping[str, Any]) -> int:
    """What is no size between 1 and 100 is refused later, and costs nothing."""
    given = [min(max(size, 1), MAXIMUM_PAGE) for size in sizes.values() if isinstance(size, int)]
    return max(given, default=DEFAULT_PAGE)


def _usual_length(parent: GraphQLCompositeType, node: FieldNode, definition: GraphQLField) -> int:
    # The lists of a page were multiplied by its size already.
    if parent.name.endswith("Connection") or not is_list_type(get_nullable_type(definition.type)):
        return 1
    return USUAL_LENGTHS.get(f"{parent.name}.{node.name.value}", USUAL_LENGTH)
