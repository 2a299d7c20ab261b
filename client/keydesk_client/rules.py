"""Which permission a request needs: a table of routes, first match wins, and what no rule names is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from keydesk_client.asgi import Scope
from keydesk_client.credential import header


class Access(Enum):
    """What a rule can say instead of a permission."""

    PUBLIC = "public"  # no key is asked for, nothing is counted
    ANY_KEY = "any key"  # a valid key, whatever its permissions
    CLOSED = "closed"  # refused, as is what no rule names


PUBLIC: Final = Access.PUBLIC
ANY_KEY: Final = Access.ANY_KEY
CLOSED: Final = Access.CLOSED
Requirement = str | Access

ANY_METHOD: Final = "*"
# In lower case, so that no request can claim to be one: methods of HTTP are compared in capitals.
WEBSOCKET: Final = "websocket"

# A converter, the characters it takes, and an example of them. The same as Starlette's and Litestar's.
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
    """`POST /pdfs` needs `pdf.generate`: who may use a method (`*` any, `WEBSOCKET`) of a path, e.g. `/pdfs/{id}`."""

    method: str
    path: str
    requirement: Requirement
    pattern: re.Pattern[str]

    @classmethod
    def of(cls, route: str, requirement: Requirement) -> Rule:
        """Raises ValueError for a rule that could not mean what it says."""
        method, _, path = route.partition(" ")
        path = path.strip()
        if not method or not path.startswith("/"):
            raise ValueError(f"{route!r} is no route: write a method, a space and a path, such as 'GET /pdfs/{{id}}'")
        if not (isinstance(requirement, Access) or (isinstance(requirement, str) and requirement)):
            raise ValueError(f"{route}: name a permission, or say PUBLIC, ANY_KEY or CLOSED")
        method = WEBSOCKET if method.lower() == WEBSOCKET else method.upper()
        return cls(method, path, requirement, re.compile(_expression(path), re.DOTALL))

    def covers(self, method: str, path: str) -> bool:
        return self._speaks_of(method) and self.pattern.fullmatch(path) is not None

    def hides(self, later: Rule) -> bool:
        """Whether a later rule that says something else could never be reached."""
        return self.requirement != later.requirement and self.covers(later.method, _example(later.path))

    def _speaks_of(self, method: str) -> bool:
        if method == WEBSOCKET or self.method == WEBSOCKET:
            return self.method == method
        return self.method in (method, ANY_METHOD) or (self.method == "GET" and method == "HEAD")


class Rules:
    """The table. ValueError for a rule that an earlier one hides: somebody believes in a protection that is not there."""

    def __init__(self, permissions: Mapping[str, Requirement]) -> None:
        self._rules = tuple(Rule.of(route, requirement) for route, requirement in permissions.items())
        for place, later in enumerate(self._rules):
            if first := next((rule for rule in self._rules[:place] if rule.hides(later)), None):
                raise ValueError(f"{later.method} {later.path} is never reached: {first.method} {first.path} comes first")

    def requirement(self, scope: Scope) -> Requirement:
        """What this request needs; CLOSED if no rule speaks of it, or if two that differ could be meant."""
        # Older Starlettes hand `gEt` to a class's `get`, so a method is the same however it is written.
        method = WEBSOCKET if scope["type"] == "websocket" else scope["method"].upper()
        found = self._of(method, scope)
        if found is None and (wanted := _preflight_for(method, scope)):
            return PUBLIC if self._of(wanted, scope) not in (None, CLOSED) else CLOSED
        return CLOSED if found is None else found

    def _of(self, method: str, scope: Scope) -> Requirement | None:
        first = (next((rule.requirement for rule in self._rules if rule.covers(method, path)), None) for path in _paths(scope))
        found = {requirement for requirement in first if requirement is not None}
        return found.pop() if len(found) == 1 else CLOSED if found else None


def _preflight_for(method: str, scope: Scope) -> str | None:
    """The method a browser asks about in a CORS preflight, which never carries a key; None for any other request."""
    if method != "OPTIONS" or header(scope, b"origin") is None:
        return None
    return (header(scope, b"access-control-request-method") or "").upper() or None


def _paths(scope: Scope) -> set[str]:
    """Every way in which a router may read the request's path: a rule must say the same of all that it speaks of.

    Routers differ about a slash at the end, of the path and of the root path. Empty where they differ by more (`//`, `/../`,
    a control character, a root path in the middle): what is checked as one route must never be served as another.
    """
    path, root = scope["path"], scope.get("root_path", "")
    bare_root = root.rstrip("/")
    below = path[len(bare_root) :] or "/" if path == bare_root or path.startswith(f"{bare_root}/") else path
    if (below == path and bare_root and bare_root in path) or _CONTROL.search(path) or _has_odd_segment(below):
        return set()
    readings = {below} if root == bare_root else {below, path}
    return readings | {_without_last_slash(reading) for reading in readings}


def _has_odd_segment(path: str) -> bool:
    return path != "/" and not {"", ".", ".."}.isdisjoint(_without_last_slash(path).split("/")[1:])


def _without_last_slash(path: str) -> str:
    return path[:-1] if len(path) > 1 and path.endswith("/") else path


def _expression(path: str) -> str:
    """A template as a regular expression; ValueError for an unknown converter or a stray brace."""
    parts, end = [], 0
    path = _without_last_slash(path)
    for match in _PARAMETER.finditer(path):
        parts += [re.escape(path[end : match.start()]), _converter(path, match)[0]]
        end = match.end()
    if "{" in (rest := _PARAMETER.sub("", path)) or "}" in rest:
        raise ValueError(f"{path!r}: a parameter is written {{name}} or {{name:converter}}")
    return "".join(parts) + re.escape(path[end:])


def _example(path: str) -> str:
    """A path that the template stands for, as unlike any other template's as can be."""
    return _PARAMETER.sub(lambda match: _converter(path, match)[1], _without_last_slash(path))


def _converter(path: str, match: re.Match[str]) -> tuple[str, str]:
    name = match[2] or "str"
    if name not in _CONVERTERS:
        raise ValueError(f"{path!r}: {name!r} is none of {', '.join(_CONVERTERS)}")
    return _CONVERTERS[name]
