"""Shared by the pages about users and members: refused forms, starting a session, and descriptions of the roles."""

from __future__ import annotations

from typing import Any, Final

from litestar import Response

from app.access.actor import Role
from app.errors import Conflict, FieldProblem, NotAllowed, Problem, SignInFailed, TooManyAttempts, ValidationFailed
from app.sessions.session import SignedIn
from app.web.framework.page import Page, with_query
from app.web.framework.session_auth import SessionAuth

REFUSALS: Final = (ValidationFailed, SignInFailed, Conflict, TooManyAttempts)
ROLES: Final = {
    Role.VIEWER: "Can view everything in the workspace and change nothing.",
    Role.EDITOR: "Can also create, change and revoke API keys.",
    Role.OWNER: "Can do everything, including members, plan and settings.",
}
# The message of a refusal that belongs to no field of the form; it is shown above all fields.
WHOLE: Final = "form"
# In this order, because browsers also name each other.
_BROWSERS: Final = {
    "Edg": "Edge",
    "OPR/": "Opera",
    "Firefox/": "Firefox",
    "Chrome/": "Chrome",
    "Safari/": "Safari",
    "curl/": "curl",
}
_SYSTEMS: Final = {
    "Android": "Android",
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Windows": "Windows",
    "Mac OS X": "macOS",
    "CrOS": "ChromeOS",
    "Linux": "Linux",
}
_STATUSES: Final[dict[type[Problem], int]] = {NotAllowed: 403, Conflict: 409, TooManyAttempts: 429}


def render_invalid(page: Page, template: str, problem: Problem, *, at: str = WHOLE, **context: Any) -> Response[str]:
    """The form with its input and faults; with `Retry-After` after too many attempts.

    `at`: the field for a problem that names no field.
    """
    page.form = page.form.refused(problem) if isinstance(problem, ValidationFailed) else page.form.wrong(at, problem.message)
    response = page.show(template, _STATUSES.get(type(problem), 422), **context)
    if isinstance(problem, TooManyAttempts):
        response.headers["retry-after"] = str(problem.retry_after_seconds)
    return response


def role_of(text: str) -> Role:
    """Raises ValidationFailed at `role`."""
    if text not in set(Role):
        raise ValidationFailed(FieldProblem("role", "REQUIRED", "Choose a role."))
    return Role(text)


def start_session(page: Page, gate: SessionAuth, signed_in: SignedIn, address: str) -> Response[str]:
    """Redirects with the new session's cookie, by way of the sign-in page, which reports it if the browser did not keep the
    cookie. A browser that sent a session cookie is known to keep them."""
    way = address if page.visitor else with_query("/sign-in", after="sign-in", next=address)
    return page.go(way, set_cookie=gate.cookie(signed_in.token))


def device(user_agent: str) -> str:
    """`Firefox on Linux`, as far as the header is known; the page shows the whole header on hover."""
    browser = _first(_BROWSERS, user_agent) or user_agent.partition("/")[0][:40] or "Unknown browser"
    system = _first(_SYSTEMS, user_agent)
    return f"{browser} on {system}" if system else browser


def _first(marks: dict[str, str], user_agent: str) -> str | None:
    return next((name for mark, name in marks.items() if mark in user_agent), None)
