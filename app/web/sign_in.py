"""Pages for users without a session: setup, signing in and out, invitations, password resets."""

from __future__ import annotations

from typing import Any, Final

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from app import mail
from app.authentication import service as authentication
from app.errors import LinkExpired, NotAllowed, Problem, SignInFailed, TooManyAttempts, ValidationFailed
from app.members import service as members
from app.sessions import service as sessions
from app.users.validation import email_key
from app.web.framework.page import Page, local_path, with_query
from app.web.framework.session_auth import SessionAuth
from app.web.user_forms import REFUSALS, ROLES, render_invalid, start_session

SET_UP: Final = "/set-up/{token:str}"
INVITATION: Final = "/invitations/{token:str}"
RESET: Final = "/password-reset/{token:str}"
FORGET: Final = '"cache", "storage"'


@get(SET_UP)
async def set_up_form(page: NamedDependency[Page], token: FromPath[str]) -> Response[str]:
    return page.show("sign_in/set_up.html") if await authentication.is_set_up_link(token) else _expired(page, "set-up")


@post(SET_UP, status_code=200)
async def set_up(page: NamedDependency[Page], gate: NamedDependency[SessionAuth], token: FromPath[str]) -> Response[str]:
    """The same form sent twice finds the link used, and leads to the sign-in page."""
    email, name, password, workspace = (page.form.text(field) for field in ("email", "name", "password", "workspace"))
    try:
        signed_in = await authentication.set_up(page.request, token, email=email, name=name, password=password, workspace=workspace)
    except LinkExpired:
        return _expired(page, "set-up")
    except (ValidationFailed, TooManyAttempts) as problem:
        return render_invalid(page, "sign_in/set_up.html", problem)
    return start_session(page, gate, signed_in, "/")


@get("/sign-in")
async def sign_in_form(page: NamedDependency[Page]) -> Response[str]:
    onward = local_path(page.query.get("next", "/"))
    return page.go(onward) if page.visitor else await _sign_in(page, onward)


@post("/sign-in", status_code=200)
async def sign_in(page: NamedDependency[Page], gate: NamedDependency[SessionAuth]) -> Response[str]:
    """Always starts a new session: a token that the browser sent is never reused, and its session ends."""
    onward = local_path(page.form.text("next"))
    try:
        signed_in = await authentication.sign_in(page.request, page.form.text("email"), page.form.text("password"))
    except (SignInFailed, TooManyAttempts) as problem:
        return await _sign_in(page, onward, problem)
    if page.visitor:
        await sessions.sign_out(page.visitor.token)
    return start_session(page, gate, signed_in, onward)


@post("/sign-out", status_code=200)
async def sign_out(page: NamedDependency[Page], gate: NamedDependency[SessionAuth]) -> Response[str]:
    if page.visitor:
        await sessions.sign_out(page.visitor.token)
    onward = local_path(page.form.text("next", "/sign-in"))
    return page.go(onward, set_cookie=gate.no_cookie(), clear_site_data=FORGET)


@get("/password-reset")
async def password_reset_form(page: NamedDependency[Page]) -> Response[str]:
    return page.show("sign_in/password_reset.html", by_mail=mail.current().configured, requested=False)


@post("/password-reset", status_code=200)
async def request_password_reset(page: NamedDependency[Page]) -> Response[str]:
    """Gives the same response whether the account exists or not."""
    by_mail = mail.current().configured
    try:
        await authentication.request_password_reset(page.request, page.form.text("email"))
    except TooManyAttempts as problem:
        return render_invalid(page, "sign_in/password_reset.html", problem, by_mail=by_mail, requested=False)
    return page.show("sign_in/password_reset.html", by_mail=by_mail, requested=True)


@get(RESET)
async def reset_form(page: NamedDependency[Page], token: FromPath[str]) -> Response[str]:
    return await _reset(page, token)


@post(RESET, status_code=200)
async def reset(page: NamedDependency[Page], token: FromPath[str]) -> Response[str]:
    try:
        await authentication.reset_password(page.request, token, page.form.text("newPassword"))
    except LinkExpired:
        return _expired(page, "password-reset")
    except (ValidationFailed, TooManyAttempts) as problem:
        return await _reset(page, token, problem)
    return page.go(with_query("/sign-in", after="password-reset"))


@get(INVITATION)
async def invitation(page: NamedDependency[Page], token: FromPath[str]) -> Response[str]:
    return await _invitation(page, token)


@post(INVITATION, status_code=200)
async def accept_invitation(page: NamedDependency[Page], gate: NamedDependency[SessionAuth], token: FromPath[str]) -> Response[str]:
    try:
        if page.visitor:
            return page.go(f"/w/{(await members.accept(page.actor, token)).slug}")
        signed_in = await members.accept_as_new(page.request, token, page.form.text("name"), page.form.text("password"))
    except LinkExpired:
        return _expired(page, "invitation")
    except (*REFUSALS, NotAllowed) as problem:
        return await _invitation(page, token, problem)
    return start_session(page, gate, signed_in, "/")


async def _sign_in(page: Page, onward: str, problem: Problem | None = None) -> Response[str]:
    return _shown(page, "sign_in/sign_in.html", problem, onward=onward, is_new=not await authentication.has_owner())


async def _reset(page: Page, token: str, problem: Problem | None = None) -> Response[str]:
    user = await authentication.find_password_reset(token)
    if user is None:
        return _expired(page, "password-reset")
    return _shown(page, "sign_in/new_password.html", problem, user=user)


async def _invitation(page: Page, token: str, problem: Problem | None = None) -> Response[str]:
    found = await members.find_invitation(token)
    if found is None:
        return _expired(page, "invitation")
    guest = page.visitor.session.user if page.visitor else None
    theirs = guest is not None and email_key(guest.email) == email_key(found.email)
    return _shown(page, "sign_in/invitation.html", problem, invitation=found, guest=guest, theirs=theirs, roles=ROLES)


def _shown(page: Page, template: str, problem: Problem | None, **context: Any) -> Response[str]:
    return render_invalid(page, template, problem, **context) if problem else page.show(template, **context)


def _expired(page: Page, way: str) -> Response[str]:
    """Answers 410, with how to get a new link of this kind."""
    return page.show("sign_in/expired.html", 410, way=way)


HANDLERS = (
    set_up_form, set_up, sign_in_form, sign_in, sign_out,
    password_reset_form, request_password_reset, reset_form, reset, invitation, accept_invitation,
)  # fmt: skip
