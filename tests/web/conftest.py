"""Fixtures for the dashboard: the real application over ASGI, and a browser without JavaScript that sends real forms."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from app import database
from app.access.actor import Actor
from app.clock import MINUTE
from app.main import Keydesk, create_app
from app.sessions import service as sessions
from app.settings import Settings
from app.tenancy import service as tenancy
from app.users import store as user_store
from app.web.dashboard import CONTROLLERS
from tests.conftest import Team
from tests.support.forms import Form, forms_of

COOKIE = "keydesk-session"
ADDRESS = "203.0.113.9"


class Browser:
    """Stores cookies, remembers the current page, and sends the headers that say where its requests come from."""

    def __init__(self, app: Keydesk, address: str = ADDRESS) -> None:
        self.origin = app.settings.origin
        transport = httpx.ASGITransport(app, client=(address, 50_000))  # type: ignore[arg-type]
        self.client = httpx.AsyncClient(transport=transport, base_url=self.origin)
        self.shown: httpx.Response | None = None

    @property
    def page(self) -> str:
        assert self.shown is not None
        return self.shown.text

    @property
    def token(self) -> str | None:
        """The value of the session cookie."""
        return self.client.cookies.get(COOKIE)

    @token.setter
    def token(self, token: str) -> None:
        self.client.cookies.set(COOKIE, token, domain=str(self.client.base_url.host), path="/")

    async def open(self, path: str, **headers: str) -> httpx.Response:
        """Requests exactly this path; only `follow` follows redirects."""
        self.shown = await self.client.get(path, headers=headers)
        return self.shown

    async def follow(self) -> httpx.Response:
        """Follows all redirects of the last answer."""
        while self.shown is not None and self.shown.status_code == 303:
            await self.open(self.shown.headers["location"])
        assert self.shown is not None
        return self.shown

    def form(self, action: str) -> Form:
        """The form of the current page with this action."""
        found = [form for form in forms_of(self.page) if form.action == action]
        assert found, f"no form leads to {action}: {[form.action for form in forms_of(self.page)]}"
        return found[0]

    async def send(self, action: str, **fields: str | list[str]) -> httpx.Response:
        """Fills in the form of the current page with this action, and submits it as a browser does."""
        form = self.form(action)
        filled = form.filled(**fields)
        if form.method == "get":
            return await self.open(f"{action}?{httpx.QueryParams(filled)}")
        return await self.post(action, filled, **self.same_origin_headers)

    async def post(self, path: str, fields: Any, **headers: str) -> httpx.Response:
        """Posts any fields with any headers."""
        body = httpx.QueryParams(fields)
        headers = {"content-type": "application/x-www-form-urlencoded"} | {k.replace("_", "-"): v for k, v in headers.items()}
        self.shown = await self.client.post(path, content=str(body), headers=headers)
        return self.shown

    @property
    def same_origin_headers(self) -> dict[str, str]:
        """The headers with which a browser marks a request from one of our own pages."""
        return {"origin": self.origin, "sec_fetch_site": "same-origin"}


@pytest.fixture(scope="session")
def app(settings: Settings) -> Keydesk:
    return create_app(settings)


@pytest.fixture
def browse(app: Keydesk, db: None) -> Callable[..., Browser]:
    """Creates another browser at this address, without a session."""
    return lambda address=ADDRESS: Browser(app, address)


@pytest.fixture
def browser(browse: Callable[..., Browser]) -> Browser:
    return browse()


@pytest.fixture
async def owner(browse: Callable[..., Browser], team: Team) -> Browser:
    return await signed_in(browse(), team.owner)


@pytest.fixture
async def editor(browse: Callable[..., Browser], team: Team) -> Browser:
    return await signed_in(browse(), team.editor)


@pytest.fixture
async def viewer(browse: Callable[..., Browser], team: Team) -> Browser:
    return await signed_in(browse(), team.viewer)


async def signed_in(browser: Browser, actor: Actor) -> Browser:
    """The browser, with a new session of the actor."""
    user = await user_store.find(actor.id)
    assert user is not None
    async with tenancy.changing_installation(actor) as change:
        browser.token = (await sessions.begin(change, user)).token
    return browser


async def later(minutes: int) -> None:
    """Advances the database's clock by so many minutes, and stops it."""
    database.freeze(await database.now() + minutes * MINUTE)


async def rows(table: str) -> int:
    (found,) = await database.fetch(f"SELECT COUNT(*) AS n FROM {table}")
    return int(found["n"])


# The event stream of a page that every workspace has; others end at once because these parameters name nothing.
ENDLESS = {"/w/{slug:str}/alerts/events"}


def routes(method: str, team: Team) -> list[str]:
    """Every path of the dashboard that accepts this method, with the team's objects as parameters."""
    given = {"slug": team.slug, "user_id": team.viewer.id, "name": "free", "key_id": "key_x", "token": "x", "session_id": "ses_x"}
    found = [path for handler in CONTROLLERS if method in handler.http_methods for path in handler.paths if path not in ENDLESS]
    return sorted({re.sub(r"\{(\w+):str\}", lambda match: given.get(match.group(1), "x"), path) for path in found})
