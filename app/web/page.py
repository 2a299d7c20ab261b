"""One request for a page: who asks, what they sent, and how it is answered, whole or as the fragment HTMX asked for."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from jinja2 import Environment, Template
from litestar import Response
from litestar.enums import MediaType

from app.access import policy
from app.access.actor import Actor, Request
from app.access.policy import Action
from app.errors import NotAuthenticated, NotFound
from app.tenancy.service import Access
from app.web.form import Form
from app.web.gate import Visitor, whose

MAIN: Final = "main"


@dataclass(slots=True)
class Page:
    """Handed to every handler; templates see it as `page`. `places` are the visitor's workspaces, `place` the address's one.

    `search` is the query as it came; in `query` a name has its last value. `open_notices`: how many alerts are open there, for
    the way to them at the side.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    request: Request
    search: bytes
    form: Form
    templates: Environment
    visitor: Visitor | None = None
    places: tuple[Access, ...] = ()
    place: Access | None = None
    now: int = 0
    open_notices: int = 0

    @property
    def signed_in(self) -> Visitor:
        """Raises NotAuthenticated where nobody has signed in."""
        if self.visitor is None:
            raise NotAuthenticated
        return self.visitor

    @property
    def actor(self) -> Actor:
        """Raises NotAuthenticated where nobody has signed in."""
        return self.signed_in.actor

    @property
    def here(self) -> Access:
        """The workspace of the address. Raises NotAuthenticated, or NotFound for who does not belong there."""
        if self.signed_in and self.place is None:
            raise NotFound("page")
        return self.place  # type: ignore[return-value]  # it was None a line above

    @property
    def slug(self) -> str:
        """The slug of `here`."""
        return self.here.workspace.slug

    @property
    def zone(self) -> str:
        """The time zone in which this page writes times."""
        return self.place.workspace.timezone if self.place else "UTC"

    @property
    def once(self) -> str:
        """For the hidden field `once` of a form whose answer shows something once: with it two sendings are one."""
        return self.form.text("once") or secrets.token_urlsafe(16)

    @property
    def filled_by(self) -> str:
        """The id of the person in whose session the form was shown; empty where it does not say."""
        return whose(self.form.text("csrf"))

    @property
    def is_fragment(self) -> bool:
        return "hx-request" in self.headers

    def may(self, action: str) -> bool:
        """Whether the reader may do this here, so that pages leave out what they cannot."""
        if self.place is None:
            return False
        suspended = self.place.workspace.suspended_at is not None
        return policy.may(self.actor, self.place.role, Action(action), suspended=suspended)

    def require(self, action: Action) -> None:
        """Raises NotAllowed where a form would be filled in only to be refused."""
        suspended = self.here.workspace.suspended_at is not None
        policy.require(self.actor, self.here.role, action, suspended=suspended)

    def to(self, *parts: str, **query: str | None) -> str:
        """An address in the workspace of the page."""
        return with_query("/".join(("/w", self.slug, *parts)), **query)

    def show(self, template: str, status: int = 200, **context: Any) -> Response[str]:
        """The page; for HTMX the block that is called like the element it will replace, else the page's main part."""
        seen = {"page": self, "form": self.form, "now": self.now, **context}
        found = self.templates.get_template(template)
        block = self._block(found.blocks)
        text = self._titled(found, block, seen) if block else found.render(seen)
        return Response(text, status_code=status, media_type=MediaType.HTML, headers={"vary": "HX-Request"})

    def part(self, template: str, block: str, **context: Any) -> str:
        """One block of a page as text."""
        seen = {"page": self, "form": self.form, "now": self.now, **context}
        return fragment(self.templates.get_template(template), block, seen)

    def unchanged(self) -> Response[str]:
        """To a page that asks again: what it shows still holds."""
        return Response("", status_code=204, media_type=MediaType.HTML)

    def go(self, address: str, **headers: str) -> Response[str]:
        """On to another page: 303, or what makes HTMX load it whole."""
        place, status = ("hx-redirect", 200) if self.is_fragment else ("location", 303)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return Response("", status_code=status, media_type=MediaType.HTML, headers={place: address, **named})

    def _titled(self, template: Template, block: str, seen: dict[str, Any]) -> str:
        """A fragment; the page's main part brings its title along, which HTMX puts where it belongs."""
        text = fragment(template, block, seen)
        if block != MAIN or "title" not in template.blocks:
            return text
        return f"<title>{fragment(template, 'title', seen)} · Keydesk</title>{text}"

    def _block(self, blocks: Mapping[str, Any]) -> str | None:
        if not self.is_fragment:
            return None
        target = self.headers.get("hx-target", "").partition("#")[2]
        return target if target in blocks else MAIN


def fragment(template: Template, block: str, seen: dict[str, Any]) -> str:
    """One block of a template, with the imports and macros that stand at the template's top."""
    context = template.new_context(seen)
    # Up to the first piece of its parent's text: what comes before it is just those imports and macros.
    next(template.root_render_func(context), None)
    return "".join(template.blocks[block](context))


def with_query(path: str, **query: str | None) -> str:
    """`path?name=value` for what is given and not empty."""
    pairs = {name: value for name, value in query.items() if value}
    return f"{path}?{urlencode(pairs)}" if pairs else path


def local_path(address: str) -> str:
    """A path here, or `/` for whatever would lead elsewhere (a browser reads a backslash or a tab as it likes)."""
    plain = address.startswith("/") and not address.startswith("//") and address.isprintable() and "\\" not in address
    if not plain or urlsplit(address).netloc or "%" in urlsplit(address).path[:4]:
        return "/"
    return address
