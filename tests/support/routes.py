"""Every route of the dashboard, as the code has them, so that a new one is in every test about all of them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from app.web.site import CONTROLLERS

_PLACE = re.compile(r"\{(\w+):str\}")


def routes(method: str) -> list[str]:
    """Addresses with places like `{slug}`."""
    found = {path for each in CONTROLLERS if method in each.http_methods for path in each.paths}
    return sorted(_PLACE.sub(r"{\1}", path) for path in found)


def places(route: str) -> list[str]:
    """The names of a route's places."""
    return re.findall(r"\{(\w+)\}", route)


def filled(route: str, values: Mapping[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda match: values[match.group(1)], route)
