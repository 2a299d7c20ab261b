"""SQL conditions shared by the statements of several nouns."""

from __future__ import annotations

import re
from typing import Any

from app.paging import Window


def living(alias: str, now: str = "{}") -> str:
    """Whether the API key of a row lives: neither revoked nor expired, the rule of `ApiKey.is_over`. Takes one instant."""
    return f"{alias}.revoked_at IS NULL AND ({alias}.expires_at IS NULL OR {alias}.expires_at > {now})"


def contains(column: str, *, is_sqlite: bool) -> str:
    """Whether the column contains a text, given as its `pattern`; capital ASCII letters equal small ones."""
    # In the "C" collation lower() changes ASCII letters only, as SQLite's does.
    collation = "" if is_sqlite else ' COLLATE "C"'
    return f"lower({column}{collation}) LIKE {{}} ESCAPE '!'"


def pattern(text: str) -> str:
    lower = "".join(letter.lower() if letter.isascii() else letter for letter in text)
    return f"%{re.sub('[!%_]', lambda sign: '!' + sign[0], lower)}%"


def newest_first(window: Window, instant: str, id: str) -> tuple[str, str, list[Any]]:
    """The window of a list that begins with the newest, sorted by two columns: ` AND …` for its bounds, `ORDER BY … LIMIT {}`,
    and the arguments of both, in this order."""
    bounds, arguments = "", list[Any]()
    for position, sign in ((window.after, "<"), (window.before, ">")):
        if position is not None:
            bounds += f" AND ({instant}, {id}) {sign} ({{}}, {{}})"
            arguments += position
    direction = "ASC" if window.backwards else "DESC"
    return bounds, f"ORDER BY {instant} {direction}, {id} {direction} LIMIT {{}}", [*arguments, window.read_limit]
