"""What is in front of the desk: the first set-up, signing in and out, invitations, a forgotten password."""

from __future__ import annotations

from typing import Any, Final

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from app import mail
from app.accounts import service as accounts
from app.accounts.person import email_key
from app.errors import LinkExpired, NotAllowed, Problem, SignInFailed, TooManyAttempts, ValidationFailed
from app.members import service as members
from app.web.gate import Gate
from app.web.page import Page, local_path, with_query
from app.web.people_form import REFUSALS, ROLES, again, enter

SET_UP: Final = "/set-up/{token:str}"
INVITATION: Final = "/invitations/{token:str}"
RESET: Final = "/password-reset/{token:str}"
FORGET: Final = '"cache", "storage"'


@get(SET_UP)
async def set_up_form(page: NamedDependency[Page], token: FromPath[str]) -> Response[str]:
    return page.show("people/set_up.html") if await accounts.is_set_up_link(token) else _expired(page, "set-up")


@post(SET_UP, status_code=200)
async def set_up(page: NamedDependency[Page], gate: NamedDependency[Gate], token: FromPath[str]) -> Response[str]:
    """Sent twice, the second finds the link used, and its page leads to the sign-in."""
    email, name, password, workspace = (page.form.text(field) for field in ("email", "name", "password", "workspace"))
    try:
        signed_in = await accounts.set_up(page.request, token, email=email, name=name, password=password, workspace=workspace)
    except LinkExpired:
        return _expired(page, "set-up")
    except (ValidationFailed, TooManyAttempts) as problem:
        return again(page, "people/set_up.html", problem)
    return enter(page, gate, signed_in, "/")


@get("/sign-in")
async def sign_in_form(page: NamedDependency[Page]) -> Response[str]:
    onward = local_path(page.query.get("next", "/"))
    return page.go(onward) if page.visitor else page.show("people/sign_in.html", onward=onward)


@post("/sign-in", status_code=200)
async def sign_in(page: NamedDependency[Page], gate: NamedDependency[Gate]) -> Response[str]:
    """Always a new session: whatever token the browser came with is none of it, and one that lived ends."""
    onward = local_path(page.form.text("next"))
    try:
        signed_in = await accounts.sign_in(page.request, page.form.text("email"), page.form.text("password"))
    except (SignInFailed, TooManyAttempts) as problem:
        return again(page, "people/sign_in.html", problem, onward=onward)
    if page.visitor:
        await accounts.sign_out(page.visitor.token)
    return enter(page, gate, signed_in, onward)


@post("/sign-out", status_code=200)
async def sign_out(page: NamedDependency[Page], gate: NamedDependency[Gate]) -> Response[str]:
    if page.visitor:
        await accounts.sign_out(page.visitor.token)
    onward = local_path(page.form.text("next", "/sign-in"))
    return page.go(onward, set_cookie=gate.no_cookie(), clear_site_data=FORGET)


@get("/password-reset")
async def forgotten_form(page: NamedDependency[Page]) -> Response[str]:
    return page.show("people/forgotten.html", by_mail=mail.current().configured, asked=False)


@post("/password-reset", status_code=200)
async def forgotten(page: NamedDependency[Page]) -> Response[str]:
    """The same answer whether the account exists or not."""
    by_mail = mail.current().configured
    try:
        await accounts.request_password_reset(page.request, page.form.text("email"))
    except TooManyAttempts as problem:
        return again(page, "people/forgotten.html", problem, by_mail=by_mail, asked=False)
    return page.show("people/forgotten.html", by_mail=by_mail, asked=True)


@get(RESET)
async def reset_form(page: NamedDependency[Page], token: FromPath[str]) -> Response[str]:
    return await _reset(page, token)


@post(RESET, status_code=200)
async def reset(page: NamedDependency[Page], token: FromPath[str]) -> Response[str]:
    try:
        await accounts.reset_password(page.request, token, page.form.text("newPassword"))
    except LinkExpired:
        return _expired(page, "password-reset")
    except (ValidationFailed, TooManyAttempts) as problem:
        return await _reset(page, token, problem)
    return page.go(with_query("/sign-in", after="password-reset"))


@get(INVITATION)
async def invitation(page: NamedDependency[Page], token: FromPath[str]) -> Response[str]:
    return await _invitation(page, token)


@post(INVITATION, status_code=200)
async def join(page: NamedDependency[Page], gate: NamedDependency[Gate], token: FromPath[str]) -> Response[str]:
    try:
        if page.visitor:
            return page.go(f"/w/{(await members.accept(page.actor, token)).slug}")
        signed_in = await members.accept_as_new(page.request, token, page.form.text("name"), page.form.text("password"))
    except LinkExpired:
        return _expired(page, "invitation")
    except (*REFUSALS, NotAllowed) as problem:
        return await _invitation(page, token, problem)
    return enter(page, gate, signed_in, "/")


async def _reset(page: Page, token: str, problem: Problem | None = None) -> Response[str]:
    user = await accounts.find_password_reset(token)
    if user is None:
        return _expired(page, "password-reset")
    return _shown(page, "people/new_password.html", problem, user=user)


async def _invitation(page: Page, token: str, problem: Problem | None = None) -> Response[str]:
    found = await members.find_invitation(token)
    if found is None:
        return _expired(page, "invitation")
    guest = page.visitor.session.user if page.visitor else None
    theirs = guest is not None and email_key(guest.email) == email_key(found.email)
    return _shown(page, "people/invitation.html", problem, invitation=found, guest=guest, theirs=theirs, roles=ROLES)


def _shown(page: Page, template: str, problem: Problem | None, **context: Any) -> Response[str]:
    return again(page, template, problem, **context) if problem else page.show(template, **context)


def _expired(page: Page, way: str) -> Response[str]:
    """410, with the way to a new link of this kind."""
    return page.show("people/expired.html", 410, way=way)


HANDLERS = (
    set_up_form, set_up, sign_in_form, sign_in, sign_out, forgotten_form, forgotten, reset_form, reset, invitation, join,
)  # fmt: skip
