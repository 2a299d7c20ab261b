"""The one place where errors become pages. An unexpected error shows the reader an id only; its details are logged once."""

from __future__ import annotations

import logging
import secrets
from dataclasses import dataclass
from typing import Final

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
from app.web.framework import resumption
from app.web.framework.form import CONFIRMATION, TooLarge, TooSlow, Unreadable
from app.web.framework.page import Page, with_query
from app.web.framework.session_auth import CrossSiteRequest, SessionRenewed

_log = logging.getLogger("keydesk.web")


@dataclass(frozen=True, slots=True)
class ErrorText:
    """The text of an error page: what happened, and what the reader can do. `again`: opening the same address again may help."""

    status: int
    title: str
    message: str
    advice: str = ""
    again: bool = False


_NOTHING_CHANGED: Final = "Nothing was changed."
# Status, title, and what the error's own message does not say.
_TITLES: Final[dict[type[KeydeskError], tuple[int, str, str]]] = {
    NotFound: (404, "Not found", "It may have been deleted, or belong to another workspace."),
    CrossSiteRequest: (403, "We couldn't accept that request", ""),
    NotAllowed: (403, "You can't do this", "If you should be able to, ask an owner of the workspace."),
    LinkExpired: (410, "This link has expired", ""),
    PlanLimitReached: (409, "Your plan's limit is reached", _NOTHING_CHANGED),
    Conflict: (409, "This is not possible now", f"{_NOTHING_CHANGED} Go back to see how it is now."),
    ValidationFailed: (422, "Check what you entered", f"{_NOTHING_CHANGED} Go back and correct it."),
    SignInFailed: (422, "E-mail or password is wrong", ""),
    TooManyAttempts: (429, "Too many attempts", ""),
    Unreadable: (400, "We couldn't read that request", ""),
    TooLarge: (413, "The form is too long", f"{_NOTHING_CHANGED} Go back, shorten what you entered, and send it again."),
    TooSlow: (408, "The request did not arrive in time", _NOTHING_CHANGED),
    Unavailable: (503, "Keydesk is unavailable", ""),
}
_OF_STATUS: Final = {
    404: ErrorText(404, "Page not found", "There is no such page. It may have moved, or you may have no access to it."),
    405: ErrorText(405, "This page can't be opened this way", "Use the links and buttons of the pages instead."),
    413: ErrorText(413, "The form is too long", "The form contains more than can be sent.", _TITLES[TooLarge][2]),
}
_BAD_REQUEST: Final = ErrorText(
    400, "We couldn't read that request", "The request could not be read. Go back, reload the page, and try again."
)
_PERHAPS_CHANGED: Final = "Before you send it again, check whether your change was made."


def answer(page: Page, error: Exception) -> Response[str]:
    """The page for an error. Without a session it leads to the sign-in page and back; that page carries a sent form along."""
    if isinstance(error, NotAuthenticated) and page.method == "POST" and page.filled_by:
        return resumption.ask_to_sign_in(page)
    if isinstance(error, NotAuthenticated):
        wanted = page.address if page.method == "GET" and page.address != "/" else None
        return page.go(with_query("/sign-in", next=wanted))
    text = text_for(page, error)
    response = _page(page, text, error)
    if isinstance(error, TooManyAttempts | Unavailable):
        response.headers["retry-after"] = str(error.retry_after_seconds)
    if isinstance(error, TooSlow | TooLarge):
        # The client may still be sending the rest of the body.
        response.headers["connection"] = "close"
    return response


def _page(page: Page, text: ErrorText, error: Exception) -> Response[str]:
    if isinstance(error, SessionRenewed):
        return _again(page, text)
    if page.form.has(resumption.PASSWORD) and isinstance(error, SignInFailed | TooManyAttempts):
        return resumption.ask_to_sign_in(page, text.message)
    if _is_about_password(page, error):
        return _confirmation(page, text, error)
    page.enter_workspace()
    return page.show("errors/page.html", text.status, text=text)


def text_for(page: Page, error: Exception) -> ErrorText:
    """The text for an error. Logs unexpected errors."""
    reads = page.method == "GET"
    for kind, (status, title, advice) in _TITLES.items():
        if isinstance(error, kind):
            if isinstance(error, Unavailable):
                _log.warning("a page could not be answered: %s", error.internal)
                advice = "" if reads else _PERHAPS_CHANGED
            if isinstance(error, TooManyAttempts):
                advice = f"You can try again in {_in_words(error.retry_after_seconds)}."
            return ErrorText(status, title, error.message, advice, reads and isinstance(error, Unavailable | TooManyAttempts))
    if isinstance(error, HTTPException) and error.status_code < 500:
        return _OF_STATUS.get(error.status_code, _BAD_REQUEST)
    number = secrets.token_hex(4)
    _log.error("%s %s failed, shown as error %s", page.method, page.path, number, exc_info=error)
    message = (
        f"This is an error of ours. It has been logged as {number}. Try again in a moment; if it persists, contact the operator."
    )
    return ErrorText(500, "Something went wrong", message, "" if reads else _PERHAPS_CHANGED, reads)


def _in_words(seconds: int) -> str:
    if seconds < 120:
        return "1 second" if seconds == 1 else f"{seconds} seconds"
    return f"{-(-seconds // 60)} minutes"


def _is_about_password(page: Page, error: Exception) -> bool:
    """Whether the password must be confirmed, or the confirmation was wrong."""
    given = page.form.has(CONFIRMATION)
    return isinstance(error, ConfirmationNeeded) or (given and isinstance(error, SignInFailed | TooManyAttempts))


def _confirmation(page: Page, text: ErrorText, error: Exception) -> Response[str]:
    """Asks for the password and resubmits the refused form with it, so that no input is lost."""
    wrong = None if isinstance(error, ConfirmationNeeded) else text.message
    return page.show("account/confirm.html", text.status, wrong=wrong, repeated=page.form.repeated())


def _again(page: Page, text: ErrorText) -> Response[str]:
    """Offers to resubmit the form with this session's CSRF token. Passwords are never written into a page."""
    return page.show("sign_in/renewed.html", text.status, repeated=page.form.repeated(), left_out=page.form.has_password)
