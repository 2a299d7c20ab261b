"""The dashboard: Litestar behind one step that finds out who asks, reads what they sent, and lets no other site's forms in."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import parse_qsl, quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar import Litestar, Request, Response, Router
from litestar.datastructures.headers import CacheControlHeader
from litestar.di import Provide
from litestar.exceptions import MethodNotAllowedException
from litestar.response import Redirect
from litestar.static_files import create_static_files_router

from app import database
from app.accounts import service as accounts
from app.errors import KeydeskError
from app.notices import service as notices
from app.paths import STATIC, TEMPLATES
from app.settings import Settings
from app.tenancy import service as tenancy
from app.web import (
    account,
    alerts,
    audit,
    calendar,
    chart,
    errors,
    formats,
    front,
    history,
    home,
    keys,
    members,
    plans,
    resumption,
    rotations,
    workspace,
)
from app.web.addresses import Addresses
from app.web.body import BODY_LIMIT, after_body, read_form, without_body
from app.web.form import CONFIRMATION, Form, Unreadable
from app.web.gate import SAFE_METHODS, Gate, Receive, Renewed, Scope, Send, Visitor, header, require_token
from app.web.live import Live
from app.web.page import Page

# Forms that act for whom their own fields or their link prove, whether or not anybody is signed in.
_NEEDS_NO_SESSION: Final = re.compile(r"/sign-in|/password-reset(?:/[^/]+)?|/set-up/[^/]+")
# One that acts for who is signed in, and is shown to who is not yet.
_INVITATION: Final = re.compile(r"/invitations/[^/]+")
_PLACE: Final = re.compile(r"/w/([a-z0-9-]{1,60})(?:/|$)")
_YEAR_SECONDS: Final = 31_536_000
CONTROLLERS: Final = (
    *front.HANDLERS,
    *account.HANDLERS,
    *home.HANDLERS,
    *alerts.HANDLERS,
    *calendar.HANDLERS,
    *keys.HANDLERS,
    *rotations.HANDLERS,
    *members.HANDLERS,
    *plans.HANDLERS,
    *workspace.HANDLERS,
    *audit.HANDLERS,
)
ADDRESSES: Final = Addresses(CONTROLLERS)


class Site:
    """The ASGI application of all pages and of the files they need."""

    def __init__(self, settings: Settings, gate: Gate, stopping: asyncio.Event) -> None:
        self._gate = gate
        self._static = f"/static/{_digest_of_static()}"
        self._templates = _environment(self.static_url)
        self._templates.globals["keeps_no_session"] = gate.keeps_no_session
        # What browsers, crawlers and password managers ask for by themselves.
        self._well_known: dict[str, Response[Any]] = {
            "/favicon.ico": Redirect(self.static_url("img/key.svg"), status_code=302),
            "/robots.txt": Response("User-agent: *\nDisallow: /\n", media_type="text/plain"),
            # W3C, A Well-Known URL for Changing Passwords
            "/.well-known/change-password": Redirect("/account#password", status_code=302),
        }
        live = Live(stopping)
        self._litestar = Litestar(
            [Router("/", route_handlers=list(CONTROLLERS)), self._static_files()],
            dependencies={
                "page": Provide(_page, sync_to_thread=False),
                "gate": Provide(lambda: gate, sync_to_thread=False),
                "live": Provide(lambda: live, sync_to_thread=False),
            },
            exception_handlers={Exception: _answer_error},
            openapi_config=None,
            logging_config=None,
            request_max_body_size=BODY_LIMIT,
        )

    def static_url(self, name: str) -> str:
        """The address of a file under `static/`; it changes when any of them does, so browsers may keep it for ever."""
        return f"{self._static}/{name}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "HEAD":
            scope, send = {**scope, "method": "GET"}, without_body(send)
        if scope["path"].startswith("/static/"):
            await self._litestar(scope, receive, send)  # type: ignore[arg-type]  # Litestar's types are narrower than ASGI's
            return
        if scope["method"] == "GET" and (known := self._well_known.get(scope["path"])):
            await known.to_asgi_response(None, _request(scope))(scope, receive, send)  # type: ignore[arg-type]  # the same
            return
        page, failure, new_token = await self._prepare(scope, receive)
        if failure is not None:
            told = errors.answer(page, failure).to_asgi_response(None, _request(scope))
            await told(scope, receive, send)  # type: ignore[arg-type]  # the same
            return
        scope.setdefault("state", {})["page"] = page
        sending = self._signing_in(send, new_token)
        await self._litestar(scope, after_body(receive), sending)  # type: ignore[arg-type]  # the same

    async def _prepare(self, scope: Scope, receive: Receive) -> tuple[Page, Exception | None, str | None]:
        """The page of a request, and what refuses it, if anything does."""
        page = self._blank(scope)
        try:
            _refuse_nul(page)
            page.visitor = await self._gate.who(scope)
            page.now = await database.now()
            if page.visitor is not None:
                await _enter(page)
            if scope["method"] in SAFE_METHODS:
                return page, None, None
            page.form = await read_form(scope, receive)
            self._require_ours(scope, page)
            if page.form.has(resumption.PASSWORD):
                return page, None, await self._resume(scope, page)
            return page, None, await self._confirm(page)
        except KeydeskError as failure:
            return page, failure, None

    def _blank(self, scope: Scope) -> Page:
        return Page(
            method=scope["method"],
            path=scope["path"],
            query=dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)),
            headers={name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]},
            request=self._gate.describe(scope),
            search=scope["query_string"],
            form=Form(),
            templates=self._templates,
        )

    def _require_ours(self, scope: Scope, page: Page) -> None:
        self._gate.require_ours(scope)
        given = page.form.text("csrf") or header(scope, b"x-csrf-token")
        # A page that was opened before the session began, in another tab, has no token, not even an empty one.
        is_older = not given and not page.form.has("csrf")
        proves_itself = _NEEDS_NO_SESSION.fullmatch(page.path) or page.form.has(resumption.PASSWORD)
        if page.visitor is None or (is_older and proves_itself):
            return
        if not given and _INVITATION.fullmatch(page.path):
            raise Renewed
        require_token(page.visitor, given)

    async def _confirm(self, page: Page) -> str | None:
        """Any form may carry the password again: it is then confirmed first, and the form goes on as if nothing had happened."""
        if page.visitor is None or not page.form.has(CONFIRMATION):
            return None
        signed_in = await accounts.confirm(page.visitor.token, page.form.text(CONFIRMATION))
        page.visitor = Visitor(signed_in.session, signed_in.token, page.request)
        return signed_in.token

    async def _resume(self, scope: Scope, page: Page) -> str:
        """Signed in with the form at hand: the request becomes one for the form's own page, where it is shown filled in."""
        signed_in = await resumption.sign_in(page)
        page.path = ADDRESSES.page_of(page.path)
        scope.update(method="GET", path=page.path, raw_path=quote(page.path).encode())
        await _enter(page)
        return signed_in.token

    def _signing_in(self, send: Send, token: str | None) -> Send:
        if token is None:
            return send
        cookie = (b"set-cookie", self._gate.cookie(token).encode())

        async def send_with_cookie(message: Any) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], cookie]}
            await send(message)

        return send_with_cookie

    def _static_files(self) -> Router:
        cache = CacheControlHeader(public=True, max_age=_YEAR_SECONDS, immutable=True)
        return create_static_files_router(path=self._static, directories=[STATIC], cache_control=cache, name="static")


def _environment(static_url: Callable[[str], str]) -> Environment:
    found = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    found.globals.update(static_url=static_url, chart=chart)
    for name in ("number", "relative", "exact", "day", "when", "input_time", "plural", "reason"):
        found.filters[name] = getattr(formats, name)
    found.filters.update(told=history.told, outcome=history.outcome)
    return found


def _page(request: Request[Any, Any, Any]) -> Page:
    page: Page = request.scope["state"]["page"]
    return page


def _answer_error(request: Request[Any, Any, Any], error: Exception) -> Response[str]:
    state = request.scope.get("state", {})
    if "page" not in state:
        return Response("Not here.\n", status_code=404, media_type="text/plain")
    page: Page = state["page"]
    if isinstance(error, MethodNotAllowedException) and page.method == "GET":
        return page.go(ADDRESSES.above(page.path))
    return errors.answer(page, error)


def _refuse_nul(page: Page) -> None:
    """As in forms. Raises Unreadable."""
    if any("\0" in text for text in (page.path, *page.query, *page.query.values())):
        raise Unreadable


async def _enter(page: Page) -> None:
    page.places = tuple(await tenancy.mine(page.actor))
    if match := _PLACE.match(page.path):
        page.place = next((place for place in page.places if place.workspace.slug == match.group(1)), None)
    if page.place is not None and not page.is_fragment:
        page.open_notices = await notices.count_open(page.place.workspace.id, page.now)


def _request(scope: Scope) -> Request[Any, Any, Any]:
    return Request(scope)  # type: ignore[arg-type]  # the same


def _digest_of_static() -> str:
    found = hashlib.sha256()
    for path in sorted(path for path in STATIC.rglob("*") if path.is_file()):
        found.update(path.relative_to(STATIC).as_posix().encode() + b"\0" + path.read_bytes())
    return found.hexdigest()[:16]
