"""Every route of the dashboard, read from the code, so that tests of all routes include new ones."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import FunctionType, ModuleType

from app.paths import TEMPLATES
from app.web.dashboard import CONTROLLERS

_PLACE = re.compile(r"\{(\w+):str\}")


def routes(method: str) -> list[str]:
    """Paths with parameters like `{slug}`."""
    found = {path for each in CONTROLLERS if method in each.http_methods for path in each.paths}
    return sorted(_PLACE.sub(r"{\1}", path) for path in found)


def routes_that_show_once() -> set[str]:
    """Routes of forms whose answer can be a page with a secret or a link that is shown once."""
    templates = {path.relative_to(TEMPLATES).as_posix(): path.read_text() for path in TEMPLATES.rglob("*.html")}
    secret = {name for name, text in templates.items() if "secret=true" in text}
    secret |= {name for name, text in templates.items() if any(f'include "{each}"' in text for each in secret)}
    showing = [each for each in CONTROLLERS if "POST" in each.http_methods and secret & set(_constants(each.fn, set()))]
    return {_PLACE.sub(r"{\1}", path) for each in showing for path in each.paths}


def _constants(function: object, seen: set[object]) -> Iterator[object]:
    """The constants of a function and of those of the dashboard that it calls."""
    if not isinstance(function, FunctionType) or not function.__module__.startswith("app.web.") or function in seen:
        return
    seen.add(function)
    yield from function.__code__.co_consts
    used = function.__code__.co_names
    named = [function.__globals__.get(name) for name in used]
    for each in (*named, *(vars(module).get(name) for module in named if isinstance(module, ModuleType) for name in used)):
        yield from _constants(each, seen)


def parameters(route: str) -> list[str]:
    """The names of a route's parameters."""
    return re.findall(r"\{(\w+)\}", route)


def filled(route: str, values: Mapping[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda match: values[match.group(1)], route)
