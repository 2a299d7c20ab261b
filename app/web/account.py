"""One's own account: name, password, sessions, and the workspaces one belongs to."""

from __future__ import annotations

from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from app.accounts import service as accounts
from app.errors import Problem, TooManyAttempts, ValidationFailed
from app.web.form import CONFIRMATION
from app.web.gate import Gate
from app.web.page import Page, local_path, with_query
from app.web.people_form import again, device, enter
from app.workspaces import service as workspaces


@get("/account")
async def account(page: NamedDependency[Page]) -> Response[str]:
    return await _account(page)


@post("/account/name", status_code=200)
async def change_name(page: NamedDependency[Page]) -> Response[str]:
    try:
        await accounts.change_name(page.actor, page.form.text("name"))
    except ValidationFailed as problem:
        return await _account(page, problem)
    return page.go(_done("name"))


@post("/account/password", status_code=200)
async def change_password(page: NamedDependency[Page], gate: NamedDependency[Gate]) -> Response[str]:
    current, new = page.form.text("currentPassword"), page.form.text("newPassword")
    try:
        signed_in = await accounts.change_password(page.signed_in.token, current, new)
    except (ValidationFailed, TooManyAttempts) as problem:
        return await _account(page, problem)
    return enter(page, gate, signed_in, _done("password"))


@post("/account/sessions/{session_id:str}/end", status_code=200)
async def end_session(page: NamedDependency[Page], session_id: FromPath[str]) -> Response[str]:
    await accounts.end_session(page.actor, session_id)
    return page.go(_done("session"))


@get("/account/confirm")
async def confirmation(page: NamedDependency[Page]) -> Response[str]:
    """Where a person gives the password again that a change wants; it leads back to `next`."""
    return _confirmation(page, page.query.get("next", "/"))


@post("/account/confirm", status_code=200)
async def confirm(page: NamedDependency[Page]) -> Response[str]:
    """A password in a form is checked before any handler is called: here it was right, or there was none."""
    onward = page.form.text("next", "/")
    return page.go(local_path(onward)) if page.form.has(CONFIRMATION) else _confirmation(page, onward)


@get("/graphql/session")
async def session(page: NamedDependency[Page]) -> Response[dict[str, str]]:
    """Who has signed in and the token of their session, for the explorer, whose page may be older; 401 where nobody has."""
    if page.visitor is None:
        return Response({}, status_code=401)
    return Response({"user": page.visitor.session.user.id, "csrfToken": page.visitor.csrf_token})


def _confirmation(page: Page, onward: str) -> Response[str]:
    return page.show("people/confirm.html", wrong=None, repeated=[("next", local_path(onward))])


async def _account(page: Page, problem: Problem | None = None) -> Response[str]:
    """Beside the navigation of the workspace one was in last, if there is one."""
    last = await workspaces.last_of(page.actor)
    page.place = next((place for place in page.places if last and place.workspace.id == last.id), None)
    context: dict[str, Any] = {"me": page.signed_in.session, "sessions": await accounts.sessions_of(page.actor), "device": device}
    if problem:
        return again(page, "people/account.html", problem, **context)
    return page.show("people/account.html", 200, **context)


def _done(what: str) -> str:
    return with_query("/account", done=what)


HANDLERS = (account, change_name, change_password, end_session, confirmation, confirm, session)
