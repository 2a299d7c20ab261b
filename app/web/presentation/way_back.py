"""Where an error page leads: back to what the user was doing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from app.tenancy.service import Access
from app.web.framework.page import Page
from app.web.presentation.navigation import MORE_PAGES, OVERVIEW, PAGES

# Pages to return to. Those of one-time links are not, because their addresses are secrets.
_RETURNABLE: Final = re.compile(r"/(?:w/[^/?]+|account|docs)(?:[/?].*)?")
_OF_A_KEY: Final = re.compile(r"/w/[^/]+/settings/api-keys/key_[a-z0-9]+")


@dataclass(frozen=True, slots=True)
class WayBack:
    """A link of an error page."""

    title: str
    address: str


def way_back(page: Page) -> WayBack | None:
    """Back to the page that led here, else to the nearest list above that the user may open; None if neither is known."""
    came = page.came_from
    if came and _RETURNABLE.fullmatch(came):
        return WayBack(f"Back to {_name(came.partition('?')[0], page.url_access)}", came)
    if (access := page.url_access) is None:
        return None
    above = [place for place in (*PAGES, *MORE_PAGES) if place.is_above(page.path, access) and access.may(place.requires)]
    if above and above[0].address(access) != page.path and above[0] is not OVERVIEW:
        return WayBack(f"Back to {above[0].title}", above[0].address(access))
    return None


def _name(path: str, access: Access | None) -> str:
    """What a page is called."""
    if access and (named := [place.title for place in (*PAGES, *MORE_PAGES) if place.address(access) == path]):
        return named[0]
    return "the API key" if _OF_A_KEY.fullmatch(path) else "where you were"
