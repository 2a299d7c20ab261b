"""The permission table: maps routes to permissions. The first match wins, and a request without a match is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from keydesk_client.asgi import Scope
from keydesk_client.credential import header


class Access(Enum):
    """Requirements other than a permission."""

    PUBLIC = "public"  # no key is needed, nothing is counted
    ANY_KEY = "any key"  # a valid key, whatever its permissions
    CLOSED = "closed"  # refused, like requests that match no rule


PUBLIC: Final = Access.PUBLIC
ANY_KEY: Final = Access.ANY_KEY
CLOSED: Final = Access.CLOSED
Requirement = str | Access

ANY_METHOD: Final = "*"
# In lower case, so that no HTTP method can equal it: methods are compared in upper case.
WEBSOCKET: Final = "websocket"

# Converters as in Starlette and Litestar: name, regular expression, example.
_CONVERTERS: Final = {
    "str": (r"[^/]+", "~"),
    "int": (r"[0-9]+", "0"),
    "float": (r"[0-9]+(?:\.[0-9]+)?", "0.5"),
    "uuid": (r"[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}", "00000000-0000-0000-0000-000000000000"),
    "path": (r".*", "~/~"),
}
_PARAMETER: Final = re.compile(r"\{([a-zA-Z_][a-zA-Z0-9_]*)(?::([a-zA-Z_]+))?\}")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Rule:
    """The requirement for a method (`*` for any, or `WEBSOCKET`) of a path: `POST /pdfs/{id}` needs `pdf.generate`."""

    method: str
    path: str
    requirement: Requirement
    pattern: re.Pattern[str]

    @classmethod
    def of(cls, route: str, requirement: Requirement) -> Rule:
        """Raises ValueError for an invalid rule."""
        method, _, path = route.partition(" ")
        path = path.strip()
        if not method or not path.startswith("/"):
            raise ValueError(f"{route!r} is no route: write a method, a space and a path, such as 'GET /pdfs/{{id}}'")
        if not (isinstance(requirement, Access) or (isinstance(requirement, str) and requirement)):
            raise ValueError(f"{route}: name a permission, or say PUBLIC, ANY_KEY or CLOSED")
        method = WEBSOCKET if method.lower() == WEBSOCKET else method.upper()
        return cls(method, path, requirement, re.compile(_expression(path), re.DOTALL))

    def matches(self, method: str, path: str) -> bool:
        return self._matches_method(method) and self.pattern.fullmatch(path) is not None

    def hides(self, later: Rule) -> bool:
        """Whether a later rule with another requirement can never be reached."""
        return self.requirement != later.requirement and self.matches(later.method, _example(later.path))

    def _matches_method(self, method: str) -> bool:
        if method == WEBSOCKET or self.method == WEBSOCKET:
            return self.method == method
        return self.method in (method, ANY_METHOD) or (self.method == "GET" and method == "HEAD")


class Rules:
    """The table. Raises ValueError for a rule that an earlier one hides, because its author relies on a rule without effect."""

    def __init__(self, permissions: Mapping[str, Requirement]) -> None:
        self._rules = tuple(Rule.of(route, requirement) for route, requirement in permissions.items())
        for index, later in enumerate(self._rules):
            if first := next((rule for rule in self._rules[:index] if rule.hides(later)), None):
                raise ValueError(f"{later.method} {later.path} is never reached: {first.method} {first.path} comes first")

    def requirement(self, scope: Scope) -> Requirement:
        """The request's requirement; CLOSED if no rule matches, or if the path is ambiguous between two different ones."""
        # Older versions of Starlette pass `gEt` to a class's `get`, so methods are compared case-insensitively.
        method = WEBSOCKET if scope["type"] == "websocket" else scope["method"].upper()
        found = self._find(method, scope)
        if found is None and (wanted := _preflight_for(method, scope)):
            return PUBLIC if self._find(wanted, scope) not in (None, CLOSED) else CLOSED
        return CLOSED if found is None else found

    def _find(self, method: str, scope: Scope) -> Requirement | None:
        first = (next((rule.requirement for rule in self._rules if rule.matches(method, path)), None) for path in _paths(scope))
        found = {requirement for requirement in first if requirement is not None}
        return found.pop() if len(found) == 1 else CLOSED if found else None


def _preflight_for(method: str, scope: Scope) -> str | None:
    """The method a browser asks about in a CORS preflight, which never carries a key; None for any other request."""
    if method != "OPTIONS" or header(scope, b"origin") is None:
        return None
    return (header(scope, b"access-control-request-method") or "").upper() or None


def _paths(scope: Scope) -> set[str]:
    """Every way in which a router may interpret the request's path: all interpretations must lead to the same requirement.

    Routers differ in how they treat a trailing slash of the path and of the root path. Empty if they differ in more (`//`,
    `/../`, a control character, a root path in the middle): a path checked as one route must never be served as another.
    """
    path, root = scope["path"], scope.get("root_path", "")
    bare_root = root.rstrip("/")
    below = path[len(bare_root) :] or "/" if path == bare_root or path.startswith(f"{bare_root}/") else path
    if (below == path and bare_root and bare_root in path) or _CONTROL.search(path) or _has_odd_segment(below):
        return set()
    paths = {below} if root == bare_root else {below, path}
    return paths | {_without_last_slash(each) for each in paths}


def _has_odd_segment(path: str) -> bool:
    return path != "/" and not {"", ".", ".."}.isdisjoint(_without_last_slash(path).split("/")[1:])


def _without_last_slash(path: str) -> str:
    return path[:-1] if len(path) > 1 and path.endswith("/") else path


def _expression(path: str) -> str:
    """A path template as a regular expression. Raises ValueError for an unknown converter or an unmatched brace."""
    parts, end = [], 0
    path = _without_last_slash(path)
    for match in _PARAMETER.finditer(path):
        parts += [re.escape(path[end : match.start()]), _converter(path, match)[0]]
        end = match.end()
    if "{" in (rest := _PARAMETER.sub("", path)) or "}" in rest:
        raise ValueError(f"{path!r}: a parameter is written {{name}} or {{name:converter}}")
    return "".join(parts) + re.escape(path[end:])


def _example(path: str) -> str:
    """An example path that the template matches, and other templates are unlikely to match."""
    return _PARAMETER.sub(lambda match: _converter(path, match)[1], _without_last_slash(path))


def _converter(path: str, match: re.Match[str]) -> tuple[str, str]:
    name = match[2] or "str"
    if name not in _CONVERTERS:
        raise ValueError(f"{path!r}: {name!r} is none of {', '.join(_CONVERTERS)}")
    return _CONVERTERS[name]
