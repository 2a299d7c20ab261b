"""The pages to which the side navigation leads, with their keyboard shortcuts, and what else the search offers.

A path contains `{slug}` where the workspace's belongs; `requires` is the action without which a page is not offered.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Final

from app.access.policy import Action
from app.tenancy.service import Access


@dataclass(frozen=True, slots=True)
class Place:
    """A page, or a part of one. `keys`: the keys pressed one after the other that lead there. `also`: words that find it too."""

    title: str
    path: str
    group: str = ""
    keys: str = ""
    requires: Action = Action.READ_WORKSPACE
    also: str = ""

    def has_word(self, beginning: str) -> bool:
        """Whether a word of its names begins like this."""
        return any(word.startswith(beginning) for word in f"{self.title} {self.group} {self.also}".casefold().split())

    def address(self, access: Access) -> str:
        return self.path.replace("{slug}", access.workspace.slug)

    def is_above(self, path: str, access: Access) -> bool:
        """Whether it is this page or one below it; the overview has none."""
        address = self.address(access)
        return path == address or (self is not OVERVIEW and path.startswith(address + "/"))


OVERVIEW: Final = Place("Overview", "/w/{slug}", keys="g o", also="home start usage requests")
ALERTS: Final = Place("Alerts", "/w/{slug}/alerts", keys="g a", also="warnings anomalies")
PAGES: Final = (
    OVERVIEW,
    Place("API keys", "/w/{slug}/settings/api-keys", keys="g k", also="list"),
    ALERTS,
    Place("Checklist", "/w/{slug}/checklist", keys="g c", also="security score"),
    Place("Plan", "/w/{slug}/settings/plan", "Settings", "g p", also="limit upgrade billing"),
    Place("Members", "/w/{slug}/settings/members", "Settings", "g m", also="team users roles invitations"),
    Place("Audit log", "/w/{slug}/settings/audit-log", "Settings", "g l", also="history changes export"),
    Place("Workspace", "/w/{slug}/settings/workspace", "Settings", "g w", also="name time zone business hours"),
    Place(
        "Management keys",
        "/w/{slug}/settings/management-keys",
        "Automation",
        "g t",
        Action.READ_MANAGEMENT_KEYS,
        "tokens graphql terraform scopes",
    ),
    Place("Webhooks", "/w/{slug}/settings/webhooks", "Automation", "g h", Action.READ_WEBHOOKS, "slack teams events"),
    Place("Explorer", "/graphql", "Automation", "g e", also="graphql graphiql api"),
    Place("Docs", "/docs", "Help", "g d", also="documentation guides manual"),
)
ACTIONS: Final = (
    Place("Create API key", "/w/{slug}/settings/api-keys/new", keys="c", requires=Action.CREATE_API_KEY, also="new add"),
    Place(
        "Create management key",
        "/w/{slug}/settings/management-keys/new",
        requires=Action.CREATE_MANAGEMENT_KEY,
        also="new add token",
    ),
    Place("Create webhook", "/w/{slug}/settings/webhooks/new", requires=Action.CREATE_WEBHOOK, also="new add slack teams"),
    Place("Invite a member", "/w/{slug}/settings/members#invite", requires=Action.INVITE_MEMBER, also="new add user team"),
    Place("Create workspace", "/workspaces/new", also="new add second another"),
    Place("Change your password", "/account#password", also="account"),
)
MORE_PAGES: Final = (
    Place("Alert e-mails", "/w/{slug}/settings/alert-mail", also="e-mail notifications"),
    Place("Automatic suspension", "/w/{slug}/alerts/suspension", requires=Action.SET_AUTOMATIC_SUSPENSION, also="block"),
    Place("Calendar", "/w/{slug}/settings/calendar", also="feed ics rotation expiry dates"),
    Place("Your account", "/account", also="name profile e-mail sessions devices sign out"),
)


def allowed(places: Iterable[Place], access: Access) -> list[Place]:
    """Those that the user may open."""
    return [place for place in places if access.may(place.requires)]


def sections(access: Access) -> list[tuple[str, list[Place]]]:
    """The side navigation: each group's title, empty for the first, and its pages."""
    return [(title, list(places)) for title, places in groupby(allowed(PAGES, access), attrgetter("group"))]


def shortcuts(access: Access) -> list[Place]:
    """The places that keys lead to."""
    return [place for place in allowed((*PAGES, *ACTIONS), access) if place.keys]


def matching(places: Iterable[Place], text: str, access: Access) -> list[Place]:
    """Those of the places in whose names a word begins with each word of the text."""
    return [place for place in allowed(places, access) if all(map(place.has_word, text.casefold().split()))]
