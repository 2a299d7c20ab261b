"""A user's own page: name, e-mail address, password, sessions, and the workspaces they belong to."""

from __future__ import annotations

from typing import Any, Final

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from app import mail
from app.authentication import service as authentication
from app.errors import Conflict, LinkExpired, Problem, TooManyAttempts, ValidationFailed
from app.sessions import service as sessions
from app.web.framework.form import CONFIRMATION
from app.web.framework.page import Page, local_path, with_query
from app.web.framework.session_auth import SessionAuth
from app.web.user_forms import device, render_invalid, start_session
from app.workspaces import service as workspaces

EMAIL_CHANGE: Final = "/email-change/{token:str}"


@get("/account")
async def account(page: NamedDependency[Page]) -> Response[str]:
    return await _account(page)


@post("/account/name", status_code=200)
async def change_name(page: NamedDependency[Page]) -> Response[str]:
    try:
        await authentication.change_name(page.actor, page.form.text("name"))
    except ValidationFailed as problem:
        return await _account(page, problem)
    return page.go(_done("name"))


@post("/account/email", status_code=200)
async def request_email_change(page: NamedDependency[Page]) -> Response[str]:
    try:
        await authentication.request_email_change(page.actor, page.form.text("email"))
    except (ValidationFailed, TooManyAttempts, Conflict) as problem:
        return await _account(page, problem)
    return page.go(_done("email-sent"))


@get(EMAIL_CHANGE)
async def email_change_form(page: NamedDependency[Page], token: FromPath[str]) -> Response[str]:
    return await _email_change(page, token)


@post(EMAIL_CHANGE, status_code=200)
async def change_email(page: NamedDependency[Page], token: FromPath[str]) -> Response[str]:
    try:
        await authentication.change_email(page.request, token)
    except LinkExpired:
        return page.show("sign_in/expired.html", 410, way="email-change")
    except Conflict as problem:
        return await _email_change(page, token, problem)
    return page.go(_done("email") if page.visitor else with_query("/sign-in", after="email-change"))


@post("/account/password", status_code=200)
async def change_password(page: NamedDependency[Page], gate: NamedDependency[SessionAuth]) -> Response[str]:
    current, new = page.form.text("currentPassword"), page.form.text("newPassword")
    try:
        signed_in = await authentication.change_password(page.signed_in.token, current, new)
    except (ValidationFailed, TooManyAttempts) as problem:
        return await _account(page, problem)
    return start_session(page, gate, signed_in, _done("password"))


@post("/account/sessions/{session_id:str}/end", status_code=200)
async def end_session(page: NamedDependency[Page], session_id: FromPath[str]) -> Response[str]:
    await sessions.end(page.actor, session_id)
    return page.go(_done("session"))


@get("/account/confirm")
async def confirmation(page: NamedDependency[Page]) -> Response[str]:
    """The page on which a user confirms their password, as some changes require; it leads back to `next`."""
    return _confirmation(page, page.query.get("next", "/"))


@post("/account/confirm", status_code=200)
async def confirm(page: NamedDependency[Page]) -> Response[str]:
    """Redirects: the password was checked before this handler was called, so here it was right or absent."""
    onward = page.form.text("next", "/")
    return page.go(local_path(onward)) if page.form.has(CONFIRMATION) else _confirmation(page, onward)


@get("/graphql/session")
async def session(page: NamedDependency[Page]) -> Response[dict[str, str]]:
    """The signed-in user and their session's CSRF token, for the explorer, whose page may be older; 401 without a session."""
    if page.visitor is None:
        return Response({}, status_code=401)
    return Response({"user": page.visitor.session.user.id, "csrfToken": page.visitor.csrf_token})


def _confirmation(page: Page, onward: str) -> Response[str]:
    return page.show("account/confirm.html", wrong=None, repeated=[("next", local_path(onward))])


async def _email_change(page: Page, token: str, problem: Problem | None = None) -> Response[str]:
    found = await authentication.find_email_change(token)
    if found is None:
        return page.show("sign_in/expired.html", 410, way="email-change")
    if problem:
        return render_invalid(page, "account/email_change.html", problem, found=found)
    return page.show("account/email_change.html", found=found)


async def _account(page: Page, problem: Problem | None = None) -> Response[str]:
    """Shows the navigation of the last visited workspace, if there is one."""
    page.url_access = await workspaces.last_of(page.actor, page.memberships)
    context: dict[str, Any] = {
        "me": page.signed_in.session,
        "sessions": await sessions.own_sessions(page.actor),
        "device": device,
        "by_mail": mail.current().configured,
    }
    if problem:
        return render_invalid(page, "account/account.html", problem, **context)
    return page.show("account/account.html", 200, **context)


def _done(what: str) -> str:
    return with_query("/account", done=what)


HANDLERS = (
    account,
    change_name,
    request_email_change,
    email_change_form,
    change_email,
    change_password,
    end_session,
    confirmation,
    confirm,
    session,
)
