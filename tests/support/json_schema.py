"""Checks values against the part of JSON Schema that our documents use; any other keyword fails, so that nothing is skipped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_TYPES = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool, "null": type(None)}
_NOTES = {"title", "description", "default"}
_CHECKED = {"$ref", "anyOf", "enum", "type", "properties", "required", "additionalProperties", "items"}


def faults(value: Any, schema: Mapping[str, Any], schemas: Mapping[str, Any], at: str = "$") -> list[str]:
    """What is wrong with the value. A property that the schema does not name is wrong: our own answers have none."""
    if unknown := set(schema) - _CHECKED - _NOTES:
        raise AssertionError(f"{at}: keywords that are not checked: {sorted(unknown)}")
    if "$ref" in schema:
        return faults(value, schemas[schema["$ref"].rpartition("/")[2]], schemas, at)
    if "anyOf" in schema:
        found = [faults(value, each, schemas, at) for each in schema["anyOf"]]
        return [] if [] in found else [fault for each in found for fault in each]
    if "enum" in schema and value not in schema["enum"]:
        return [f"{at}: {value!r} is none of {schema['enum']}"]
    kind = schema.get("type")
    if kind is not None and (not isinstance(value, _TYPES[kind]) or (isinstance(value, bool) and kind != "boolean")):
        return [f"{at}: {value!r} is no {kind}"]
    if isinstance(value, dict):
        return _of_object(value, schema, schemas, at)
    if isinstance(value, list):
        return [fault for number, each in enumerate(value) for fault in faults(each, schema["items"], schemas, f"{at}[{number}]")]
    return []


def _of_object(value: dict[str, Any], schema: Mapping[str, Any], schemas: Mapping[str, Any], at: str) -> list[str]:
    known = schema.get("properties", {})
    found = [f"{at}.{name} is missing" for name in schema.get("required", ()) if name not in value]
    for name, each in value.items():
        found += faults(each, known[name], schemas, f"{at}.{name}") if name in known else [f"{at}.{name} is not in the schema"]
    return found
