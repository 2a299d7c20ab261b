"""One's own account: name, password, sessions, and the workspaces one belongs to."""

from __future__ import annotations

from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from app.accounts import service as accounts
from app.errors import Problem, TooManyAttempts, ValidationFailed
from app.web.gate import Gate
from app.web.page import Page, with_query
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


HANDLERS = (account, change_name, change_password, end_session)
