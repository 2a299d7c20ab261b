"""The dashboard: Litestar behind one step that authenticates, reads the form, and refuses forms of other sites.

The step comes before routing for two reasons. A refusal or an unknown URL shows a signed-in user a whole page, and Litestar's
exception handlers cannot wait for the database. And a form that signs its sender in again becomes a request for another URL.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, quote

from litestar import Litestar, Request, Response, Router
from litestar.datastructures.headers import CacheControlHeader
from litestar.di import Provide
from litestar.exceptions import MethodNotAllowedException
from litestar.response import Redirect
from litestar.static_files import create_static_files_router

from app import database
from app.alerts import service as alert_service
from app.asgi import Receive, Scope, Send, at_start, header
from app.authentication import service as authentication
from app.errors import KeydeskError
from app.live import Live
from app.pace import Pace
from app.paths import STATIC
from app.provisioning import self_service
from app.settings import Settings
from app.tenancy import service as tenancy
from app.web import (
    account,
    alert_mail,
    alerts,
    audit,
    automatic_suspension,
    calendar,
    checklist,
    docs,
    first_steps,
    home,
    keys,
    management_keys,
    members,
    plans,
    request_log,
    rotations,
    search,
    sign_in,
    usage,
    webhooks,
    workspace,
)
from app.web.framework import errors, resumption
from app.web.framework.body import BODY_LIMIT, after_body, read_form, without_body
from app.web.framework.compression import Compression
from app.web.framework.downloads import Downloads
from app.web.framework.fallback import Fallback
from app.web.framework.form import CONFIRMATION, Form, Unreadable
from app.web.framework.page import Page
from app.web.framework.session_auth import SAFE_METHODS, SessionAuth, SessionRenewed, Visitor, require_token
from app.web.framework.sse import EventStreams
from app.web.presentation import templates
from app.web.presentation.snippets import management_command, snippets_for

# Forms that act for the user whom their fields or their link prove, with or without a session.
_NEEDS_NO_SESSION: Final = re.compile(r"/sign-in|/password-reset(?:/[^/]+)?|/email-change/[^/]+|/set-up/[^/]+")
# A form that acts for the signed-in user, and is also shown without a session.
_INVITATION: Final = re.compile(r"/invitations/[^/]+")
# Not the router's `slug`: the page for an unknown path shows its workspace too.
_WORKSPACE_PATH: Final = re.compile(r"/w/([a-z0-9-]{1,60})(?:/|$)")
_YEAR_SECONDS: Final = 31_536_000
CONTROLLERS: Final = (
    *sign_in.HANDLERS,
    *account.HANDLERS,
    *home.HANDLERS,
    *first_steps.HANDLERS,
    *alerts.HANDLERS,
    *alert_mail.HANDLERS,
    *automatic_suspension.HANDLERS,
    *calendar.HANDLERS,
    *checklist.HANDLERS,
    *docs.HANDLERS,
    *keys.HANDLERS,
    *request_log.HANDLERS,
    *search.HANDLERS,
    *rotations.HANDLERS,
    *usage.HANDLERS,
    *members.HANDLERS,
    *plans.HANDLERS,
    *workspace.HANDLERS,
    *audit.HANDLERS,
    *webhooks.HANDLERS,
    *management_keys.HANDLERS,
)
FALLBACK: Final = Fallback(CONTROLLERS)


class Dashboard:
    """The ASGI application of all pages and of the files they need."""

    def __init__(self, settings: Settings, gate: SessionAuth, live: Live, pace: Pace, downloads: Downloads) -> None:
        self._gate, self._pace = gate, pace
        self._static = f"/static/{_digest_of_static()}"
        self._compression = Compression(self.static_url(path.relative_to(STATIC).as_posix()) for path in _static_paths())
        self._templates = templates.environment(
            static_url=self.static_url,
            loses_session_cookie=gate.loses_session_cookie,
            contact=settings.contact,
            workspaces_are_self_service=self_service.is_open,
            snippets_for=partial(snippets_for, origin=settings.origin),
            management_command=partial(management_command, settings.origin),
        )
        # Requested by browsers, crawlers and password managers without a link.
        self._well_known: dict[str, Response[Any]] = {
            "/favicon.ico": Redirect(self.static_url("img/key.svg"), status_code=302),
            "/robots.txt": Response("User-agent: *\nDisallow: /\n", media_type="text/plain"),
            # W3C, A Well-Known URL for Changing Passwords
            "/.well-known/change-password": Redirect("/account#password", status_code=302),
        }
        streams = EventStreams(live)
        self._litestar = Litestar(
            [Router("/", route_handlers=list(CONTROLLERS)), self._static_files()],
            dependencies={
                "page": Provide(_page, sync_to_thread=False),
                "gate": Provide(lambda: gate, sync_to_thread=False),
                "live": Provide(lambda: streams, sync_to_thread=False),
                "downloads": Provide(lambda: downloads, sync_to_thread=False),
                "origin": Provide(lambda: settings.origin, sync_to_thread=False),
            },
            exception_handlers={MethodNotAllowedException: _answer_wrong_method, Exception: _answer_error},
            openapi_config=None,
            logging_config=None,
            request_max_body_size=BODY_LIMIT,
        )

    def static_url(self, name: str) -> str:
        """The URL of a file under `static/`; it changes when any of them does, so browsers may cache it without limit."""
        return f"{self._static}/{name}"

    def compile_templates(self) -> None:
        """Compiles all templates, which takes half a second; otherwise each is compiled at its first use, in up to 40 ms."""
        for name in self._templates.list_templates():
            self._templates.get_template(name)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "HEAD":
            scope, send = {**scope, "method": "GET"}, without_body(send)
        send = self._compression.wrap(scope, send)
        if scope["path"].startswith("/static/"):
            await self._litestar(scope, receive, send)  # type: ignore[arg-type]  # Litestar's types are narrower than ASGI's
            return
        if scope["method"] == "GET" and (known := self._well_known.get(scope["path"])):
            await known.to_asgi_response(None, _request(scope))(scope, receive, send)  # type: ignore[arg-type]  # the same
            return
        page, failure, new_token = await self._prepare(scope, receive)
        if failure is not None:
            response = errors.answer(page, failure).to_asgi_response(None, _request(scope))
            await response(scope, receive, send)  # type: ignore[arg-type]  # the same
            return
        scope.setdefault("state", {})["page"] = page
        sending = self._signing_in(send, new_token)
        with database.settled_once() if scope["method"] == "GET" else contextlib.nullcontext():
            await self._litestar(scope, after_body(receive), sending)  # type: ignore[arg-type]  # the same

    async def _prepare(self, scope: Scope, receive: Receive) -> tuple[Page, Exception | None, str | None]:
        """The page of a request, the error that refuses it, if any, and the token of a new session, if one began."""
        page = self._blank(scope)
        try:
            _refuse_nul(page)
            page.visitor = await self._gate.find_visitor(scope)
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
            pace=self._pace,
        )

    def _require_ours(self, scope: Scope, page: Page) -> None:
        self._gate.require_same_origin(scope)
        given = page.form.text("csrf") or header(scope, b"x-csrf-token")
        # A page that was opened before the session began, in another tab, has no token, not even an empty one.
        is_older = not given and not page.form.has("csrf")
        proves_itself = _NEEDS_NO_SESSION.fullmatch(page.path) or page.form.has(resumption.PASSWORD)
        if page.visitor is None or (is_older and proves_itself):
            return
        if not given and _INVITATION.fullmatch(page.path):
            raise SessionRenewed
        require_token(page.visitor, given)

    async def _confirm(self, page: Page) -> str | None:
        """Any form may contain the password: it is then confirmed first, and the form is handled as usual."""
        if page.visitor is None or not page.form.has(CONFIRMATION):
            return None
        signed_in = await authentication.confirm(page.visitor.token, page.form.text(CONFIRMATION))
        page.visitor = Visitor(signed_in.session, signed_in.token, page.request)
        return signed_in.token

    async def _resume(self, scope: Scope, page: Page) -> str:
        """Signs in with the sent form: the request becomes one for that form's page, which shows it filled in."""
        signed_in = await resumption.sign_in(page)
        page.path = FALLBACK.page_of(page.path)
        scope.update(method="GET", path=page.path, raw_path=quote(page.path).encode())
        await _enter(page)
        return signed_in.token

    def _signing_in(self, send: Send, token: str | None) -> Send:
        if token is None:
            return send
        cookie = (b"set-cookie", self._gate.cookie(token).encode())

        return at_start(send, lambda message: {**message, "headers": [*message["headers"], cookie]})

    def _static_files(self) -> Router:
        cache = CacheControlHeader(public=True, max_age=_YEAR_SECONDS, immutable=True)
        return create_static_files_router(path=self._static, directories=[STATIC], cache_control=cache, name="static")


def _page(request: Request[Any, Any, Any]) -> Page:
    page: Page = request.scope["state"]["page"]
    return page


def _answer_error(request: Request[Any, Any, Any], error: Exception) -> Response[str]:
    if "page" not in request.scope.get("state", {}):  # a static file
        return Response("Not here.\n", status_code=404, media_type="text/plain")
    return errors.answer(_page(request), error)


def _answer_wrong_method(request: Request[Any, Any, Any], error: MethodNotAllowedException) -> Response[str]:
    """Redirects a reload of a POST-only URL to the page with the form."""
    page = request.scope.get("state", {}).get("page")
    return page.go(FALLBACK.above(page.path)) if page and page.method == "GET" else _answer_error(request, error)


def _refuse_nul(page: Page) -> None:
    """Refuses NUL in the query, as in forms. Raises Unreadable."""
    if any("\0" in text for text in (page.path, *page.query, *page.query.values())):
        raise Unreadable


async def _enter(page: Page) -> None:
    """Reads the time, and what every page shows of the visitor's workspaces, which are read with the time."""
    page.memberships = tuple(await tenancy.mine(page.actor)) if page.visitor else ()
    page.now = page.memberships[0].now if page.memberships else await database.now()
    if match := _WORKSPACE_PATH.match(page.path):
        page.url_access = next((access for access in page.memberships if access.workspace.slug == match.group(1)), None)
    if page.url_access is not None and not page.is_fragment:
        page.open_alerts = await alert_service.count_open(page.url_access)


def _request(scope: Scope) -> Request[Any, Any, Any]:
    return Request(scope)  # type: ignore[arg-type]  # the same


def _digest_of_static() -> str:
    found = hashlib.sha256()
    for path in _static_paths():
        found.update(path.relative_to(STATIC).as_posix().encode() + b"\0" + path.read_bytes())
    return found.hexdigest()[:16]


def _static_paths() -> list[Path]:
    return sorted(path for path in STATIC.rglob("*") if path.is_file())
