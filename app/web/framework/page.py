"""The context of one page request: user, input, and rendering, as a whole page or as the fragment that HTMX requested."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from jinja2 import Environment, Template
from litestar import Response
from litestar.enums import MediaType

from app.access.actor import Actor, Request
from app.access.policy import Action
from app.errors import NotAuthenticated, NotFound
from app.pace import Pace
from app.tenancy.service import Access
from app.web.framework.form import Form
from app.web.framework.rendering import Rendered, block_of, joined
from app.web.framework.session_auth import Visitor, user_id_in

MAIN: Final = "main"


@dataclass(slots=True)
class Page:
    """The argument of every handler; `page` in templates.

    `memberships`: access to each of the user's workspaces; `url_access`: to the URL's, None if the user is not a member of it.
    `search` is the raw query string; in `query` each name has its last value. `open_alerts`: the number of open alerts there,
    for the navigation.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    request: Request
    search: bytes
    form: Form
    templates: Environment
    pace: Pace
    visitor: Visitor | None = None
    memberships: tuple[Access, ...] = ()
    url_access: Access | None = None
    now: int = 0
    open_alerts: int = 0

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
    def access(self) -> Access:
        """Access to the URL's workspace. Raises NotAuthenticated, or NotFound for users who are not members."""
        if self.signed_in and self.url_access is None:
            raise NotFound("page")
        return self.url_access  # type: ignore[return-value]  # it was None a line above

    @property
    def slug(self) -> str:
        """The slug of the URL's workspace."""
        return self.access.workspace.slug

    @property
    def zone(self) -> str:
        """The time zone of times on this page."""
        return self.url_access.workspace.timezone if self.url_access else "UTC"

    @property
    def once(self) -> str:
        """A value for the hidden field `once` of a form whose response shows a secret: with it, sending twice counts once."""
        return self.form.text("once") or secrets.token_urlsafe(16)

    @property
    def filled_by(self) -> str:
        """The id of the user in whose session the form was shown; empty if the form does not say."""
        return user_id_in(self.form.text("csrf"))

    @property
    def is_fragment(self) -> bool:
        return "hx-request" in self.headers

    @property
    def address(self) -> str:
        """Path and query, without what only polling adds."""
        arguments = parse_qsl(self.search.decode("latin-1"), keep_blank_values=True)
        query = urlencode([(name, text) for name, text in arguments if name != "poll"])
        return local_path(self.path + (f"?{query}" if query else ""))

    @property
    def came_from(self) -> str | None:
        """The path of our own page that led here, if the browser says so; never of another site."""
        try:
            came = urlsplit(self.headers.get("referer", ""))
        except ValueError:
            return None
        if not came.netloc or came.netloc != self.headers.get("host"):
            return None
        path = local_path(came.path + (f"?{came.query}" if came.query else ""))
        return path if path != "/" and not (self.method == "GET" and came.path == self.path) else None

    def enter_workspace(self) -> None:
        """For a page without a workspace of its own, such as an error: the navigation of the one that the user came from, else of
        any of theirs."""
        if self.url_access is None and self.memberships:
            came = f"{self.came_from}/"
            here = [access for access in self.memberships if came.startswith(f"/w/{access.workspace.slug}/")]
            self.url_access = (here or self.memberships)[0]

    def may(self, action: str) -> bool:
        """Whether the user may do this here, so that pages leave out controls that would be refused."""
        return self.url_access is not None and self.url_access.may(Action(action))

    def require(self, action: Action) -> None:
        """Raises NotAllowed before the user fills in a form that would be refused."""
        self.access.require(action)

    def to(self, *parts: str, **query: str | None) -> str:
        """The path of a page in this workspace."""
        return with_query("/".join(("/w", self.slug, *parts)), **query)

    def show(self, template: str, status: int = 200, **context: Any) -> Response[str]:
        """The rendered page; for HTMX, the block named like the target element, else the page's main part."""
        context_of_template = self._template_context(context)
        found = self.templates.get_template(template)
        block = self._block(found.blocks)
        pieces = _titled(found, block, context_of_template) if block else found.generate(context_of_template)
        return Rendered(pieces, self.pace, status, {"vary": "HX-Request"})

    async def part(self, template: str, block: str, **context: Any) -> str:
        """One rendered block of a template."""
        return await joined(block_of(self.templates.get_template(template), block, self._template_context(context)), self.pace)

    def unchanged(self) -> Response[str]:
        """The response to a polling page whose content is still current."""
        return Response("", status_code=204, media_type=MediaType.HTML)

    def go(self, address: str, **headers: str) -> Response[str]:
        """A redirect: 303, or the header that makes HTMX load the whole page."""
        header, status = ("hx-redirect", 200) if self.is_fragment else ("location", 303)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return Response("", status_code=status, media_type=MediaType.HTML, headers={header: address, **named})

    def _template_context(self, context: dict[str, Any]) -> dict[str, Any]:
        return {"page": self, "form": self.form, "now": self.now, **context}

    def _block(self, blocks: Mapping[str, Any]) -> str | None:
        if not self.is_fragment:
            return None
        target = self.headers.get("hx-target", "").partition("#")[2]
        return target if target in blocks else MAIN


def _titled(template: Template, block: str, context_of_template: dict[str, Any]) -> Iterator[str]:
    """A fragment; the page's main part includes the title, which HTMX moves into the head."""
    if block == MAIN and "title" in template.blocks:
        yield f"<title>{''.join(block_of(template, 'title', context_of_template))} · Keydesk</title>"
    yield from block_of(template, block, context_of_template)


def with_query(path: str, **query: str | None) -> str:
    """`path?name=value` with the arguments that are not empty."""
    pairs = {name: value for name, value in query.items() if value}
    return f"{path}?{urlencode(pairs)}" if pairs else path


def local_path(address: str) -> str:
    """A path on this site, or `/` for a URL that might lead elsewhere (browsers differ on backslashes and tabs)."""
    plain = address.startswith("/") and not address.startswith("//") and address.isprintable() and "\\" not in address
    if not plain or urlsplit(address).netloc or "%" in urlsplit(address).path[:4]:
        return "/"
    return address
