"""Users for tests: with an address, a password, and a request."""

from __future__ import annotations

from app.access.actor import Actor, Request
from app.authentication import service as authentication
from app.sessions.session import SignedIn
from app.tenancy.workspace import Workspace
from app.users.user import User

PASSWORD = "quite a long horse story 7"
OTHER_PASSWORD = "nine purple umbrellas dancing"
REQUEST = Request("203.0.113.9", "tests/1.0", "req_test")


def request_from(address: str) -> Request:
    return Request(address, "tests/1.0", "req_test")


async def make_owner(email: str = "ann@example.org", name: str = "Ann", workspace: str = "Acme") -> tuple[User, Workspace]:
    """Creates a user with the password PASSWORD and a workspace."""
    return await authentication.create_owner(Actor.operator(), email=email, name=name, password=PASSWORD, workspace=workspace)


async def sign_in(email: str = "ann@example.org", password: str = PASSWORD, request: Request = REQUEST) -> SignedIn:
    return await authentication.sign_in(request, email, password)


def token_of(link: str | None) -> str:
    """The last segment of a link's path."""
    assert link is not None
    return link.rsplit("/", 1)[1]
