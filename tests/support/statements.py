"""Counts the statements sent to the database."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from app import database


@contextlib.contextmanager
def counted() -> Iterator[list[str]]:
    """Collects the text of every statement that this process runs in the context, through Piccolo or not."""
    engine, seen = database.engine(), []
    original = type(engine).run_querystring

    async def run(self: Any, querystring: Any, *args: Any, **kwargs: Any) -> Any:
        seen.append(querystring.template)
        return await original(self, querystring, *args, **kwargs)

    type(engine).run_querystring = run  # type: ignore[method-assign]
    try:
        yield seen
    finally:
        type(engine).run_querystring = original  # type: ignore[method-assign]
