"""Every route of the dashboard, read from the code, so that tests of all routes include new ones."""

from __future__ import annotations

import re
from collections.abc import Mapping

from app.web.dashboard import CONTROLLERS

_PLACE = re.compile(r"\{(\w+):str\}")


def routes(method: str) -> list[str]:
    """Paths with parameters like `{slug}`."""
    found = {path for each in CONTROLLERS if method in each.http_methods for path in each.paths}
    return sorted(_PLACE.sub(r"{\1}", path) for path in found)


def parameters(route: str) -> list[str]:
    """The names of a route's parameters."""
    return re.findall(r"\{(\w+)\}", route)


def filled(route: str, values: Mapping[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda match: values[match.group(1)], route)
