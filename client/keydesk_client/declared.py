"""`@permission` at handlers as an alternative to a permission table."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any, Final, TypeVar

from keydesk_client.rules import ANY_METHOD, CLOSED, WEBSOCKET, Requirement

_MARK: Final = "__keydesk_permission__"
_EVERYTHING: Final = (ANY_METHOD, WEBSOCKET)
_Handler = TypeVar("_Handler", bound=Callable[..., Any])
_Declared = Iterator[tuple[str, Requirement]]


def permission(requirement: Requirement) -> Callable[[_Handler], _Handler]:
    """`@permission("pdf.read")`, directly above a handler's `def` and below the framework's decorator."""

    def mark(handler: _Handler) -> _Handler:
        if not hasattr(handler, "__code__") and not isinstance(handler, type):
            raise TypeError("@permission belongs below the route's decorator, right above the handler")
        setattr(handler, _MARK, requirement)
        return handler

    return mark


def declared(app: Any) -> dict[str, Requirement]:
    """The permission table of a Starlette, FastAPI or Litestar app's handlers, in the order in which the app tries its routes.

    Call it after all routes are defined. A handler without a decorator is CLOSED unless `declared(app) | {"GET /docs": PUBLIC}`
    adds a rule. Raises TypeError for an app or a route that cannot be read: then write the table by hand.
    """
    if not isinstance(routes := getattr(app, "routes", None), list):
        raise TypeError(f"{type(app).__name__} has no routes to read: write `permissions` by hand")
    is_litestar = any(hasattr(route, "path_components") for route in routes)
    rules: dict[str, Requirement] = {}
    for route, requirement in _litestar(routes) if is_litestar else _starlette(routes, ""):
        rules.setdefault(route, requirement)
    return rules


def _starlette(routes: Iterable[Any], prefix: str) -> _Declared:
    for route in _flat(routes):
        if hasattr(route, "host") or not isinstance(path := getattr(route, "path", None), str):
            raise TypeError(f"{route!r} serves more than a path tells: write its rules by hand")
        if children := getattr(route, "routes", None):
            yield from _starlette(children, prefix + path)
        elif (handler := getattr(route, "endpoint", None)) is not None:
            yield from _rules(prefix + path, handler, _starlette_methods(route))
        else:  # a mounted application without readable routes, such as StaticFiles
            yield from _rules(f"{prefix}{path}/{{rest:path}}", None, _EVERYTHING)


def _flat(routes: Iterable[Any]) -> Iterable[Any]:
    """FastAPI stores an included router as one opaque route, and offers a function that lists its routes."""
    list_routes: Callable[[Iterable[Any]], Iterable[Any]] | None
    list_routes = getattr(sys.modules.get("fastapi.routing"), "iter_route_contexts", None)
    return list_routes(routes) if list_routes else routes


def _starlette_methods(route: Any) -> Collection[str]:
    if not hasattr(getattr(route, "original_route", route), "methods"):
        return [WEBSOCKET]
    return route.methods or [ANY_METHOD]


def _litestar(routes: Iterable[Any]) -> _Declared:
    for route in sorted(routes, key=_litestar_order):
        # Litestar has more converters than we do. It does not allow two routes that differ only in a converter.
        path = re.sub(r":(?!path\})\w+\}", "}", route.path)
        for handler in getattr(route, "route_handlers", None) or [route.route_handler]:
            yield from _rules(path, handler.fn, _litestar_methods(handler))


def _litestar_order(route: Any) -> list[bool]:
    """Sorts segment by segment: literal segments before parameters."""
    return [segment.startswith("{") for segment in route.path.split("/")]


def _litestar_methods(handler: Any) -> Collection[str]:
    if getattr(handler, "is_mount", False):
        raise TypeError(f"{handler!r} is a mounted application: write its rules by hand")
    if hasattr(handler, "is_mount"):
        return _EVERYTHING
    return getattr(handler, "http_methods", None) or [WEBSOCKET]


def _rules(path: str, handler: Any, methods: Collection[str]) -> _Declared:
    requirement = getattr(handler, _MARK, CLOSED)
    declared_methods = {*methods} - ({"HEAD"} if "GET" in methods else set())  # a rule for GET includes HEAD
    # Litestar adds its own handler for OPTIONS to every path; a rule for it would refuse preflights.
    declared_methods -= {"OPTIONS"} if requirement is CLOSED else set()
    yield from ((f"{method} {path or '/'}", requirement) for method in sorted(declared_methods))
