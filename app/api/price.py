"""What an operation needs and what it costs, found by walking it along the schema before it runs.

The price is the number of fields that will be resolved if every list is as long as it may be: a page as long as it
asked for, any other list as long as it usually is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLCompositeType,
    GraphQLField,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_composite_type,
    is_list_type,
)

from app.api.limits import INTROSPECTION_ROOTS

BUDGET: Final = 25_000
DEFAULT_PAGE: Final = 20
MAXIMUM_PAGE: Final = 100
USUAL_LENGTH: Final = 5
USUAL_LENGTHS: Final = {
    "Query.permissions": 20,
    "Query.plans": 10,
    "Query.environments": 10,
    "Viewer.workspaces": 10,
    "Usage.series": 30,
    "__Schema.types": 120,
    "__Schema.directives": 6,
    "__Type.interfaces": 1,
    "__Type.possibleTypes": 1,
    "__Type.inputFields": 2,
    "__Type.enumValues": 2,
    "__Field.args": 1,
    "__Directive.args": 1,
}
# Introspection resolves from memory, several times faster than data.
INTROSPECTION_DISCOUNT: Final = 5


@dataclass(frozen=True, slots=True)
class Bill:
    """`coordinates`: every `Type.field` the operation can touch, introspection left out; `sizes`: the variables that decided
    on the price."""

    coordinates: frozenset[str]
    cost: int
    sizes: frozenset[str] = frozenset()

    def beside(self, other: Bill) -> Bill:
        return Bill(self.coordinates | other.coordinates, self.cost + other.cost, self.sizes | other.sizes)


FREE: Final = Bill(frozenset(), 0)


def bill(schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode, sizes: Mapping[str, Any]) -> Bill:
    """The bill of one operation of a valid document; `sizes` are its variables, of which only page sizes are looked at."""
    root = schema.get_root_type(operation.operation)
    return _Walk(schema, document, operation, sizes).of(root, operation.selection_set) if root else FREE


class _Walk:
    def __init__(
        self, schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode, variables: Mapping[str, Any]
    ) -> None:
        self._schema = schema
        self._fragments = {item.name.value: item for item in document.definitions if isinstance(item, FragmentDefinitionNode)}
        self._defaults = {item.variable.name.value: item.default_value for item in operation.variable_definitions or ()}
        self._variables = variables
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
            return Bill(frozenset(), 1)
        coordinate = f"{parent.name}.{name}"
        introspects = coordinate.startswith("__") or name in INTROSPECTION_ROOTS
        kind = get_named_type(definition.type)
        inner = self.of(kind, node.selection_set) if is_composite_type(kind) else FREE
        length, sizes = self._length(coordinate, definition, node)
        cost = inner.cost // INTROSPECTION_DISCOUNT if name in INTROSPECTION_ROOTS else inner.cost
        touched = inner.coordinates if introspects else inner.coordinates | {coordinate}
        return Bill(touched, 1 + length * cost, inner.sizes | sizes)

    def _length(self, coordinate: str, definition: GraphQLField, node: FieldNode) -> tuple[int, frozenset[str]]:
        if is_connection(definition):
            return self._page(node)
        in_page = coordinate.split(".")[0].endswith("Connection")
        if in_page or not is_list_type(get_nullable_type(definition.type)):
            return 1, frozenset()
        return USUAL_LENGTHS.get(coordinate, USUAL_LENGTH), frozenset()

    def _page(self, node: FieldNode) -> tuple[int, frozenset[str]]:
        asked = {item.name.value: item.value for item in node.arguments or () if item.name.value in ("first", "last")}
        names = frozenset(value.name.value for value in asked.values() if isinstance(value, VariableNode))
        sizes = [size for value in asked.values() if (size := self._size(value)) is not None]
        return max(sizes, default=DEFAULT_PAGE), names

    def _size(self, value: ValueNode | None) -> int | None:
        """A page size from a literal or a variable; what is not one between 1 and 100 is refused later, and costs nothing."""
        if isinstance(value, VariableNode):
            name = value.name.value
            given = self._variables[name] if name in self._variables else self._size(self._defaults.get(name))
        else:
            given = int(value.value) if isinstance(value, IntValueNode) else None
        return min(max(given, 1), MAXIMUM_PAGE) if isinstance(given, int) else None

    def _type(self, name: str) -> GraphQLCompositeType:
        return cast("GraphQLCompositeType", self._schema.type_map[name])


def is_connection(definition: GraphQLField) -> bool:
    """Whether the field is a page: its arguments say how long."""
    return "first" in definition.args and "last" in definition.args
