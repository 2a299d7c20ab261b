"""Fallbacks for URLs that people type, reload or shorten: the page that such a URL means."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import quote

_PARAMETER: Final = re.compile(r"\{\w+:str\}")


class Fallback:
    """Finds pages among the paths of all handlers."""

    def __init__(self, handlers: Iterable[Any]) -> None:
        paths = {path for handler in handlers if "GET" in handler.http_methods for path in handler.paths}
        self._pages = [re.compile(_PARAMETER.sub("[^/]+", path)) for path in paths]

    def page_of(self, path: str) -> str:
        """The page of the form that is sent to this path: the path's own, or the nearest above."""
        return path if any(page.fullmatch(path) for page in self._pages) else self.above(path)

    def above(self, path: str) -> str:
        """The nearest parent page: a reload of an address that only takes forms leads to where the form was."""
        while path := path.rpartition("/")[0]:
            if any(page.fullmatch(path) for page in self._pages):
                return quote(path)
        return "/"
