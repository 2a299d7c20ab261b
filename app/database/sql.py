"""SQL conditions shared by the statements of several nouns."""

from __future__ import annotations

from typing import Any

from app.paging import Window


def living(alias: str, now: str = "{}") -> str:
    """Whether the API key of a row lives: neither revoked nor expired, the rule of `ApiKey.is_over`. Takes one instant."""
    return f"{alias}.revoked_at IS NULL AND ({alias}.expires_at IS NULL OR {alias}.expires_at > {now})"


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
