"""The window of a list that a page's URL chooses: entries older or newer than one, which is named by its instant and its id."""

from __future__ import annotations

from app.paging import Position, Window
from app.web.framework.page import Page

_SEPARATOR = "-"
_LONGEST = 18


def position_text(at: int, id: str) -> str:
    """An entry's position as the value of `after` or `before`."""
    return f"{at}{_SEPARATOR}{id}"


def window(page: Page, size: int) -> Window:
    """The entries after, or before, the position in the URL; one that cannot be read counts as none."""
    after, before = _position(page, "after"), _position(page, "before")
    return Window(size, after=after, before=before, backwards=before is not None)


def _position(page: Page, name: str) -> Position | None:
    at, _, id = page.query.get(name, "").partition(_SEPARATOR)
    return (int(at), id) if at.isascii() and at.isdigit() and len(at) <= _LONGEST and id.isprintable() else None
