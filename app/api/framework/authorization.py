"""Which action each field of the schema requires: read from declarations, written into descriptions, checked before execution.

A field requires what it declares with `requires=`, else what its type declares. What a key may touch is decided here,
from the parsed document; roles, which depend on the workspace, are decided by the use cases.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from enum import Enum, auto
from typing import Any, Final, TypeAlias

from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    is_interface_type,
    is_introspection_type,
    is_object_type,
)
from strawberry.schema.schema_converter import GraphQLCoreConverter

from app.access import policy
from app.access.actor import Actor, ActorKind
from app.access.policy import OPERATOR_KEYS, RULES, AnyAction, OperatorAction, UserAction
from app.errors import NotAllowed


class NoAction(Enum):
    ANYONE = auto()
    AS_RETURNED = auto()


# Every caller who is signed in or has sent a valid management key. Payloads are ANYONE's: what they contain has its own type.
ANYONE: Final = NoAction.ANYONE
# The same as the field that returns the type: for connections and their edges.
AS_RETURNED: Final = NoAction.AS_RETURNED

Requirement: TypeAlias = AnyAction | NoAction
# By `Type.field`; None: ANYONE.
Actions: TypeAlias = Mapping[str, AnyAction | None]
_Kind: TypeAlias = GraphQLObjectType | GraphQLInterfaceType

MUTATIONS: Final = "Mutation."
_REQUIRES: Final = "__requires__"
_LINE: Final = 120


def declare(kind: type, requires: Requirement) -> None:
    """Notes what the fields of a type require; types derived from it do not inherit this."""
    setattr(kind, _REQUIRES, requires)


def metadata(requires: Requirement | None) -> dict[str, Any]:
    """The same for one field, as Strawberry keeps it; None: what its type declares."""
    return {_REQUIRES: requires} if requires else {}


def actions_of(schema: GraphQLSchema) -> dict[str, AnyAction | None]:
    """The action of every field for which one is declared."""
    returning: dict[str, list[tuple[_Kind, GraphQLField]]] = defaultdict(list)
    for kind, _, field in _fields(schema):
        returning[get_named_type(field.type).name].append((kind, field))

    def required(kind: _Kind, field: GraphQLField) -> Requirement | None:
        declared = _declared(kind, field)
        if declared is not AS_RETURNED:
            return declared
        found = {required(*each) for each in returning[kind.name]}
        return found.pop() if len(found) == 1 else None

    found = {f"{kind.name}.{name}": required(kind, field) for kind, name, field in _fields(schema)}
    return {name: None if isinstance(action, NoAction) else action for name, action in found.items() if action is not None}


def undeclared(schema: GraphQLSchema, actions: Actions) -> list[str]:
    """Every `Type.field` without a declaration, or of a type that is AS_RETURNED by fields that do not require the same."""
    return [coordinate for kind, name, _ in _fields(schema) if (coordinate := f"{kind.name}.{name}") not in actions]


def describe(schema: GraphQLSchema, actions: Actions) -> None:
    """Ends descriptions with what is required: that of a type if it is the same for all its fields, else those of its fields."""
    for kind in _types(schema):
        needs = {name: sentence(actions.get(f"{kind.name}.{name}")) for name in kind.fields}
        if len(set(needs.values())) == 1:
            kind.description = _ended(kind.description, *set(needs.values()))
        else:
            for name, field in kind.fields.items():
                field.description = _ended(field.description, needs[name])


def sentence(action: AnyAction | None) -> str:
    """What a key needs for this action; empty for ANYONE."""
    if action is None:
        return ""
    if isinstance(action, OperatorAction):
        return f"Only for operator keys, with the scope `{OPERATOR_KEYS[action]}`."
    if isinstance(action, UserAction):
        return "Only for users, with a session."
    if scope := RULES[action].scope:
        return f"Requires the scope `{scope}`."
    of_operator = OPERATOR_KEYS.get(action)
    return f"Not for management keys; an operator key needs `{of_operator}`." if of_operator else "Not for management keys."


def require(actor: Actor, actions: Actions, coordinates: Collection[str]) -> None:
    """Raises NotAllowed unless `actor` may touch every one of these fields.

    Mutations are asked one by one when it is their turn, so that their refusal is their own answer.
    """
    if unknown := sorted(set(coordinates) - actions.keys()):
        raise NotAllowed(f"{unknown[0]} is not open to anyone.")
    if actor.kind in (ActorKind.MANAGEMENT_KEY, ActorKind.OPERATOR_KEY):
        for coordinate in sorted(coordinate for coordinate in coordinates if not coordinate.startswith(MUTATIONS)):
            _require_scope(actor, coordinate, actions[coordinate])


def _require_scope(actor: Actor, coordinate: str, action: AnyAction | None) -> None:
    """Of a whole document the refusal says which field it is about."""
    if action is None:
        return
    try:
        policy.require_scope(actor, action)
    except NotAllowed as refusal:
        raise NotAllowed(f"{coordinate}: {refusal.message}") from None


def _types(schema: GraphQLSchema) -> Iterator[_Kind]:
    for kind in schema.type_map.values():
        if (is_object_type(kind) or is_interface_type(kind)) and not is_introspection_type(kind):
            yield kind


def _fields(schema: GraphQLSchema) -> Iterator[tuple[_Kind, str, GraphQLField]]:
    for kind in _types(schema):
        for name, field in kind.fields.items():
            yield kind, name, field


def _declared(kind: _Kind, field: GraphQLField) -> Requirement | None:
    definition = kind.extensions[GraphQLCoreConverter.DEFINITION_BACKREF]
    # `Connection[ApiKey]` is declared by Connection.
    of_type: Requirement | None = vars((definition.concrete_of or definition).origin).get(_REQUIRES)
    of_field: Requirement | None = field.extensions[GraphQLCoreConverter.DEFINITION_BACKREF].metadata.get(_REQUIRES)
    return of_field or of_type


def _ended(description: str | None, sentence: str) -> str | None:
    if not (description and sentence):
        return description or sentence or None
    last = description.rpartition("\n")[2]
    space = " " if len(last) + len(sentence) < _LINE else "\n"
    return description + space + sentence
