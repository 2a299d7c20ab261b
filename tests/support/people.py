"""People as they come to Keydesk: with an address, a password, and a request."""

from __future__ import annotations

from app.access.actor import Actor, Request
from app.accounts import service as accounts
from app.accounts.session import SignedIn
from app.tenancy.workspace import User, Workspace

PASSWORD = "quite a long horse story 7"
OTHER_PASSWORD = "nine purple umbrellas dancing"
REQUEST = Request("203.0.113.9", "tests/1.0", "req_test")


def coming_from(address: str) -> Request:
    return Request(address, "tests/1.0", "req_test")


async def make_owner(email: str = "ann@example.org", name: str = "Ann", workspace: str = "Acme") -> tuple[User, Workspace]:
    """Somebody with the password PASSWORD and a workspace."""
    return await accounts.create_owner(Actor.operator(), email=email, name=name, password=PASSWORD, workspace=workspace)


async def sign_in(email: str = "ann@example.org", password: str = PASSWORD, request: Request = REQUEST) -> SignedIn:
    return await accounts.sign_in(request, email, password)


def token_of(link: str | None) -> str:
    """The last part of a link's address."""
    assert link is not None
    return link.rsplit("/", 1)[1]
