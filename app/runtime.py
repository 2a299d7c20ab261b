"""The runtime of a process (catalogue, database, mail, revocation journal and peppers) as one value, set as a whole.

Modules get their part by its class: `runtime.current(Mail)`. It is opened once at a time and released at the end, after
which the process can open another one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final, TypeVar, cast

from app.errors import StartRefused

T = TypeVar("T")

_NONE: Final[Mapping[type, object]] = MappingProxyType({})
_parts: Mapping[type, object] = _NONE


def current(kind: type[T]) -> T:
    """The part of this class. Raises RuntimeError while there is none."""
    try:
        return cast("T", _parts[kind])
    except KeyError:
        raise RuntimeError(f"Keydesk is not open in this process: it has no {kind.__name__}.") from None


def require_closed() -> None:
    """Raises StartRefused while another runtime is open in this process."""
    if _parts:
        raise StartRefused("Keydesk is already open in this process.")


@contextlib.contextmanager
def opened(*parts: object) -> Iterator[None]:
    """Sets these parts and releases them, or their replacements, at the end. Raises StartRefused while another
    runtime is open."""
    global _parts
    require_closed()
    put(*parts)
    try:
        yield
    finally:
        _parts = _NONE


def put(*parts: object) -> None:
    """Adds parts, or replaces those of the same class, in one step."""
    global _parts
    _parts = MappingProxyType({**_parts, **{type(part): part for part in parts}})


@contextlib.contextmanager
def replaced(*parts: object) -> Iterator[None]:
    """Replaces parts during the block; then the previous ones are restored, even if parts were put meanwhile."""
    global _parts
    before = _parts
    put(*parts)
    try:
        yield
    finally:
        _parts = before
