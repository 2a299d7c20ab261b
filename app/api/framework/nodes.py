"""`node(id:)`: any object with an id, found by the use case of its noun."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from app import ids
from app.api.framework.connection import Node
from app.api.framework.context import Context
from app.errors import NotAllowed, NotFound

Find: TypeAlias = Callable[[Context, str], Awaitable[Node]]
_FINDERS: Final[dict[str, Find]] = {}


def found_by_id(prefix: str) -> Callable[[Find], Find]:
    """Registers how things whose ids have this prefix are found: NotFound and NotAllowed are both answered with null."""

    def register(find: Find) -> Find:
        _FINDERS[prefix] = find
        return find

    return register


async def find(context: Context, node_id: str) -> Node | None:
    """None both for what does not exist and for what the caller may not see."""
    finder = next((finder for prefix, finder in _FINDERS.items() if ids.is_a(prefix, node_id)), None)
    try:
        return await finder(context, node_id) if finder else None
    except (NotFound, NotAllowed):
        return None
