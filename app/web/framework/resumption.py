"""Forms sent after their session had ended: the user signs in again and gets the form back as they filled it in."""

from __future__ import annotations

from typing import Final

from litestar import Response

from app.authentication import service as authentication
from app.sessions import service as sessions
from app.sessions.session import SignedIn
from app.web.framework.form import Form
from app.web.framework.page import Page
from app.web.framework.session_auth import Visitor

EMAIL: Final = "signInEmail"
PASSWORD: Final = "signInPassword"
FILLED_BY: Final = "filledBy"
_OURS: Final = (EMAIL, PASSWORD, FILLED_BY)


def ask_to_sign_in(page: Page, wrong: str | None = None) -> Response[str]:
    """The sign-in page, with the form in hidden fields."""
    form = page.form
    return page.show(
        "sign_in/signed_out.html",
        422 if wrong else 403,
        wrong=wrong,
        filled_by=form.text(FILLED_BY) or page.filled_by,
        repeated=form.repeated(*_OURS),
        left_out=form.has_password,
    )


async def sign_in(page: Page) -> SignedIn:
    """Signs in and turns the request into one for the filled-in form; for a different user, into one for the start page.

    Raises SignInFailed, TooManyAttempts.
    """
    signed_in = await authentication.sign_in(page.request, page.form.text(EMAIL), page.form.text(PASSWORD))
    if page.visitor:
        await sessions.sign_out(page.visitor.token)
    page.visitor = Visitor(signed_in.session, signed_in.token, page.request)
    same = signed_in.session.user.id == page.form.text(FILLED_BY)
    page.form = Form(page.form.kept(*_OURS)) if same else Form()
    page.method = "GET"
    if not same:
        page.path = "/"
    return signed_in
