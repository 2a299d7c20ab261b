"""The one place where errors become pages. What nobody expected tells the reader a number; the log has the rest, once."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlencode

from litestar import Response
from litestar.exceptions import HTTPException

from app.errors import (
    ConfirmationNeeded,
    Conflict,
    KeydeskError,
    LinkExpired,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    PlanLimitReached,
    SignInFailed,
    TooManyAttempts,
    Unavailable,
    ValidationFailed,
)
from app.web import resumption
from app.web.form import CONFIRMATION, TooLarge, TooSlow, Unreadable
from app.web.gate import Renewed
from app.web.page import Page, with_query

_log = logging.getLogger("keydesk.web")


@dataclass(frozen=True, slots=True)
class Told:
    """What an error page says: what happened, and what one can do."""

    status: int
    title: str
    message: str


_TITLES: Final[dict[type[KeydeskError], tuple[int, str]]] = {
    NotFound: (404, "Not found"),
    NotAllowed: (403, "You can't do this"),
    LinkExpired: (410, "This link has expired"),
    PlanLimitReached: (409, "Your plan's limit is reached"),
    Conflict: (409, "This has changed since"),
    ValidationFailed: (422, "Check what you entered"),
    SignInFailed: (422, "E-mail or password is wrong"),
    TooManyAttempts: (429, "Too many attempts"),
    Unreadable: (400, "We couldn't read that request"),
    TooLarge: (413, "That is too long"),
    TooSlow: (408, "The request did not arrive in time"),
    Unavailable: (503, "Keydesk is unavailable"),
}
_OF_STATUS: Final = {
    404: Told(404, "Page not found", "There is no such page. It may have moved, or belong to somebody else."),
    405: Told(405, "This page can't be opened this way", "This address cannot be used that way."),
    413: Told(413, "That is too long", "That is more than a form can hold."),
}
_BAD_REQUEST: Final = Told(
    400, "We couldn't read that request", "The request could not be read. Go back, reload the page, and try again."
)


def answer(page: Page, error: Exception) -> Response[str]:
    """The page for an error. Nobody signed in: on to the sign-in page, and from there back here; a form is carried along."""
    if isinstance(error, NotAuthenticated) and page.method == "POST" and page.filled_by:
        return resumption.ask(page)
    if isinstance(error, NotAuthenticated):
        asked = parse_qsl(page.search.decode("latin-1"), keep_blank_values=True)
        query = urlencode([(name, text) for name, text in asked if name != "poll"])
        address = page.path + (f"?{query}" if query else "")
        wanted = address if page.method == "GET" and address != "/" else None
        return page.go(with_query("/sign-in", next=wanted))
    told = tell(page, error)
    response = _page(page, told, error)
    if isinstance(error, TooManyAttempts | Unavailable):
        response.headers["retry-after"] = str(error.retry_after_seconds)
    if isinstance(error, TooSlow | TooLarge):
        # The rest of the body may still come.
        response.headers["connection"] = "close"
    return response


def _page(page: Page, told: Told, error: Exception) -> Response[str]:
    if isinstance(error, Renewed):
        return _again(page, told)
    if page.form.has(resumption.PASSWORD) and isinstance(error, SignInFailed | TooManyAttempts):
        return resumption.ask(page, told.message)
    if _is_about_password(page, error):
        return _confirmation(page, told, error)
    return page.show("errors/page.html", told.status, told=told)


def tell(page: Page, error: Exception) -> Told:
    """What to say about an error. Logs the unexpected."""
    for kind, (status, title) in _TITLES.items():
        if isinstance(error, kind):
            if isinstance(error, Unavailable):
                _log.warning("a page could not be answered: %s", error.internal)
            return Told(status, title, error.message)
    if isinstance(error, HTTPException) and error.status_code < 500:
        return _OF_STATUS.get(error.status_code, _BAD_REQUEST)
    _log.error("%s %s failed", page.method, page.path, exc_info=error)
    return Told(500, "Something went wrong", "The error has been logged. Try again in a moment.")


def _is_about_password(page: Page, error: Exception) -> bool:
    """Whether the password must be given again, or was given again and is not right."""
    given = page.form.has(CONFIRMATION)
    return isinstance(error, ConfirmationNeeded) or (given and isinstance(error, SignInFailed | TooManyAttempts))


def _confirmation(page: Page, told: Told, error: Exception) -> Response[str]:
    """Asks for the password and sends the refused form once more with it, so that nothing typed is lost."""
    wrong = None if isinstance(error, ConfirmationNeeded) else told.message
    return page.show("people/confirm.html", told.status, wrong=wrong, repeated=page.form.repeated())


def _again(page: Page, told: Told) -> Response[str]:
    """Offers the form once more with this session's token. Passwords are never written into a page."""
    return page.show("people/renewed.html", told.status, repeated=page.form.repeated(), left_out=page.form.has_password)
