"""A form that was sent after its session had ended: it asks to sign in, and comes back as it was filled in, to that person."""

from __future__ import annotations

from typing import Final

from litestar import Response

from app.accounts import service as accounts
from app.accounts.session import SignedIn
from app.web.form import Form
from app.web.gate import Visitor
from app.web.page import Page

EMAIL: Final = "signInEmail"
PASSWORD: Final = "signInPassword"
FILLED_BY: Final = "filledBy"
_OURS: Final = (EMAIL, PASSWORD, FILLED_BY)


def ask(page: Page, wrong: str | None = None) -> Response[str]:
    """The page to sign in on, which carries the form along."""
    form = page.form
    return page.show(
        "people/signed_out.html",
        422 if wrong else 403,
        wrong=wrong,
        filled_by=form.text(FILLED_BY) or page.filled_by,
        repeated=form.repeated(*_OURS),
        left_out=form.has_password,
    )


async def sign_in(page: Page) -> SignedIn:
    """Signs in and makes the request one for the form's page, filled in; for anybody else one for the start, with nothing.

    Raises SignInFailed, TooManyAttempts.
    """
    signed_in = await accounts.sign_in(page.request, page.form.text(EMAIL), page.form.text(PASSWORD))
    if page.visitor:
        await accounts.sign_out(page.visitor.token)
    page.visitor = Visitor(signed_in.session, signed_in.token, page.request)
    same = signed_in.session.user.id == page.form.text(FILLED_BY)
    page.form = Form(page.form.kept(*_OURS)) if same else Form()
    page.method = "GET"
    if not same:
        page.path = "/"
    return signed_in
