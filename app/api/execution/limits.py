"""Limits on documents, checked before execution. All checks take time linear in the document's length: a fragment is measured
once, however often it is spread."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from graphql import (
    DocumentNode,
    FieldNode,
    FloatValueNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    NameNode,
    Node,
    OperationDefinitionNode,
    OperationType,
    SelectionNode,
    SelectionSetNode,
    StringValueNode,
    Visitor,
    visit,
)

from app.api.execution.http import MAXIMUM_LIST, NUL_TEXT, Refused

TOKENS: Final = 2_000
COMMENTS: Final = 200
DEPTH: Final = 10
# The usual introspection query unwraps types nine levels deep; its cost is limited too (see `cost`).
INTROSPECTION_DEPTH: Final = 16
ALIASES: Final = 15
ROOT_FIELDS: Final = 10
MUTATIONS: Final = 5
DIRECTIVES: Final = 2
DEFINITIONS: Final = 50
# Digits of a number in a document: Python parses at most 4,300, nothing here needs more than 16.
DIGITS: Final = 20
# An answer repeats aliases, also in the path of each error.
NAME: Final = 200
# Validation compares fields of the same name with each other; unlimited, 500 repetitions of one field cost it a second.
COMPARISONS: Final = 2_000

INTROSPECTION_ROOTS: Final = frozenset({"__schema", "__type"})


@dataclass(frozen=True, slots=True)
class Measure:
    """The size of selections with all fragments expanded: levels of fields; aliases; fields on the first level and on all levels;
    comparisons of fields of the same name; and for each name on the first level, how often and how large."""

    depth: int = 0
    introspection: int = 0
    aliases: int = 0
    fields: int = 0
    size: int = 0
    comparisons: int = 0
    names: dict[str, tuple[int, int]] = field(default_factory=dict)

    def plus(self, other: Measure) -> Measure:
        return Measure(
            max(self.depth, other.depth),
            max(self.introspection, other.introspection),
            self.aliases + other.aliases,
            self.fields + other.fields,
            self.size + other.size,
            self.comparisons + other.comparisons,
            _added(self.names, other.names),
        )

    def nested_in(self, node: FieldNode) -> Measure:
        """The same as the content of a field."""
        name = (node.alias or node.name).value
        introspects = node.name.value in INTROSPECTION_ROOTS
        return Measure(
            depth=1 if introspects else self.depth + 1,
            introspection=self.depth + 1 if introspects else self.introspection,
            aliases=self.aliases + (node.alias is not None),
            fields=1,
            size=self.size + 1,
            comparisons=self.comparisons + sum((count - 1) * size for count, size in self.names.values()),
            names={name: (1, self.size + 1)},
        )


def exceeded(document: DocumentNode) -> list[GraphQLError]:
    """One error for each limit that the document breaks; needs no schema, so that it can come before validation. Raises
    Refused for NUL in a string."""
    if (found := len(document.definitions)) > DEFINITIONS:
        return [too_much("Operations and fragments", found, DEFINITIONS)]
    meter = _Meter(document)
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode):
            meter.check(definition)
    return meter.errors or _Values.faults(document)


def too_much(what: str, found: int, allowed: int, node: Node | None = None) -> GraphQLError:
    """The error for a broken limit; `found` may be astronomically large, so it is not always shown."""
    count = f"{found:,}" if found < 1_000_000 else "far too many"
    return GraphQLError(f"{what}: {count}, at most {allowed:,}.", node, extensions={"code": "LIMIT_EXCEEDED"})


class _Values(Visitor):
    """Finds literals that no input accepts, and names of no schema; `http.decode` limits variables."""

    def __init__(self) -> None:
        super().__init__()
        self.errors: list[GraphQLError] = []

    @classmethod
    def faults(cls, document: DocumentNode) -> list[GraphQLError]:
        found = cls()
        visit(document, found)
        return found.errors

    def enter_name(self, node: NameNode, *_: object) -> None:
        if len(node.value) > NAME:
            self.errors.append(too_much("Characters of a name", len(node.value), NAME, node))

    def enter_int_value(self, node: IntValueNode | FloatValueNode, *_: object) -> None:
        if len(node.value) > DIGITS:
            self.errors.append(too_much("Characters of a number", len(node.value), DIGITS, node))

    enter_float_value = enter_int_value

    def enter_string_value(self, node: StringValueNode, *_: object) -> None:
        if "\0" in node.value:
            raise Refused(400, "BAD_REQUEST", NUL_TEXT)

    def enter_list_value(self, node: ListValueNode, *_: object) -> None:
        if len(node.values) > MAXIMUM_LIST:
            self.errors.append(too_much("Entries of a list", len(node.values), MAXIMUM_LIST, node))


class _Meter:
    def __init__(self, document: DocumentNode) -> None:
        definitions = document.definitions
        self.errors: list[GraphQLError] = []
        self._fragments = {item.name.value: item for item in definitions if isinstance(item, FragmentDefinitionNode)}
        self._measured: dict[str, Measure] = {}

    def check(self, operation: OperationDefinitionNode) -> None:
        self._check_directives(operation)
        measure = self._of(operation.selection_set)
        mutation = operation.operation is OperationType.MUTATION
        comparisons = measure.comparisons + sum((count - 1) * size for count, size in measure.names.values())
        for what, found, allowed in (
            ("Levels of fields", measure.depth, DEPTH),
            ("Levels of introspection", measure.introspection, INTROSPECTION_DEPTH),
            ("Aliases", measure.aliases, ALIASES),
            ("Mutations" if mutation else "Root fields", measure.fields, MUTATIONS if mutation else ROOT_FIELDS),
            ("Comparisons of repeated fields", comparisons, COMPARISONS),
        ):
            if found > allowed:
                self.errors.append(too_much(what, found, allowed, operation))

    def _of(self, selection_set: SelectionSetNode | None) -> Measure:
        total = Measure()
        for selection in selection_set.selections if selection_set else ():
            self._check_directives(selection)
            total = total.plus(self._selection(selection))
        return total

    def _selection(self, selection: SelectionNode) -> Measure:
        if isinstance(selection, FieldNode):
            return self._of(selection.selection_set).nested_in(selection)
        if isinstance(selection, FragmentSpreadNode):
            return self._fragment(selection.name.value)
        return self._of(selection.selection_set) if isinstance(selection, InlineFragmentNode) else Measure()

    def _fragment(self, name: str) -> Measure:
        if name not in self._measured and name in self._fragments:
            # Zero while it is being measured: a cycle ends here, and validation refuses it later.
            self._measured[name] = Measure()
            self._check_directives(self._fragments[name])
            self._measured[name] = self._of(self._fragments[name].selection_set)
        return self._measured.get(name, Measure())

    def _check_directives(self, node: Node) -> None:
        for part in _with_variables(node):
            if (found := len(getattr(part, "directives", None) or ())) > DIRECTIVES:
                self.errors.append(too_much("Directives at one place", found, DIRECTIVES, part))


def _added(some: dict[str, tuple[int, int]], more: dict[str, tuple[int, int]]) -> dict[str, tuple[int, int]]:
    total = dict(some)
    for name, (count, size) in more.items():
        before = total.get(name, (0, 0))
        total[name] = (before[0] + count, before[1] + size)
    return total


def _with_variables(node: Node) -> Iterator[Node]:
    yield node
    if isinstance(node, OperationDefinitionNode):
        yield from node.variable_definitions or ()
