"""Reads the plain attributes of an object, and of the objects in them, in one go.

graphql-core resolves every field as if a function did it, which gets a description of its place in document and response. On a
page nearly all fields are attributes, and reading them takes a fifth of that time.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from operator import attrgetter
from typing import Any, Final, TypeAlias, cast

from graphql import get_nullable_type, is_leaf_type, is_list_type, is_object_type
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.schema.schema_converter import GraphQLCoreConverter

# From a value to what the response shows of it. An exception: Strawberry's executor must complete it.
Read: TypeAlias = Callable[[Any], Any]

# Longer lists, and those of a page, are completed one object at a time: a slice can then end between two of them.
MOST_AT_ONCE: Final = 50
PAGE: Final = "Connection"


class AttributeExecution(StrawberryGraphQLCoreExecutionContext):
    """Completes what is no plain attribute, and what cannot be read, as Strawberry's executor does: faults are found again there,
    and reported with their place."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # By the identity of a selection, which is kept beside it so that no other one can have the same.
        self._reads: dict[int, tuple[Any, Read | None]] = {}

    def execute_fields(self, parent_type: Any, source_value: Any, path: Any, grouped_field_set: Any, position_context: Any) -> Any:
        if read := self._once(self._object, parent_type, grouped_field_set):
            try:
                return read(source_value)
            except Exception:  # noqa: S110 - the executor below meets it again, and reports it at its place
                pass
        return super().execute_fields(parent_type, source_value, path, grouped_field_set, position_context)

    def execute_field(self, parent_type: Any, source: Any, field_details_list: Any, path: Any, position_context: Any) -> Any:
        if read := self._once(self._field, parent_type, field_details_list):
            try:
                return read(source)
            except Exception:  # noqa: S110 - the executor below meets it again, and reports it at its place
                pass
        return super().execute_field(parent_type, source, field_details_list, path, position_context)

    def _once(self, make: Callable[[Any, Any], Read | None], kind: Any, selection: Any) -> Read | None:
        found = self._reads.get(id(selection))
        if found is None:
            found = self._reads[id(selection)] = (selection, make(kind, selection))
        return found[1]

    def _object(self, kind: Any, fields: Any) -> Read | None:
        """For the selected fields of an object; None unless all of them are plain attributes."""
        found = {name: self._once(self._field, kind, details) for name, details in fields.items()}
        reads = {name: read for name, read in found.items() if read}
        return _object(reads) if len(reads) == len(found) else None

    def _field(self, kind: Any, details: Any) -> Read | None:
        """For a field of an object; None unless it is a plain attribute."""
        name = details[0].node.name.value
        if name == "__typename":
            return lambda source: kind.name
        field = kind.fields.get(name)
        declared = field and field.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
        paged = kind.name.endswith(PAGE) and is_list_type(get_nullable_type(field.type))
        if paged or not declared or not declared.is_basic_field:
            return None
        read = self._value(field.type, details)
        return _attribute(attrgetter(declared.python_name), read) if read else None

    def _value(self, kind: Any, details: Any) -> Read | None:
        """For a value of this type; None for a union, an interface, and an object with fields that are no plain attributes."""
        inner, read = get_nullable_type(kind), cast("Read | None", None)
        if is_leaf_type(inner):
            read = functools.partial(self.complete_leaf_value, inner)
        elif is_list_type(inner):
            item = self._value(inner.of_type, details)
            read = _list(item) if item else None
        elif is_object_type(inner):
            read = self._object(inner, self.collect_subfields(inner, details).grouped_field_set)
            read = _checked(inner, read) if read and inner.is_type_of else read
        if read is None:
            return None
        return _optional(read) if inner is kind else _required(read)


def _object(reads: dict[str, Read]) -> Read:
    each = list(reads.items())
    return lambda source: {name: read(source) for name, read in each}


def _attribute(get: Read, read: Read) -> Read:
    return lambda source: read(get(source))


def _list(read: Read) -> Read:
    def read_all(value: Any) -> Any:
        if len(value) > MOST_AT_ONCE:
            raise ValueError
        return [read(item) for item in value]

    return read_all


def _checked(kind: Any, read: Read) -> Read:
    """With the check that Strawberry has for types that implement an interface."""

    def read_own(value: Any) -> Any:
        if not kind.is_type_of(value, None):
            raise TypeError
        return read(value)

    return read_own


def _optional(read: Read) -> Read:
    return lambda value: None if value is None else read(value)


def _required(read: Read) -> Read:
    def read_required(value: Any) -> Any:
        if value is None:
            raise ValueError
        return read(value)

    return read_required
