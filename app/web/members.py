"""Who belongs to a workspace: inviting, roles, removing and leaving."""

from __future__ import annotations

from typing import Any, Final

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from app import mail
from app.access.actor import Role
from app.access.policy import Action
from app.errors import Conflict, NotFound, Problem, ValidationFailed
from app.keys.repeat import Repeated
from app.management import service as management
from app.members import service as members
from app.versions import Stale, version_of_all
from app.web.page import Page
from app.web.people_form import ROLES, WHOLE, again, role_of

LIST: Final = "/w/{slug:str}/settings/members"


@get(LIST)
async def listing(page: NamedDependency[Page], slug: FromPath[str]) -> Response[str]:
    return await _list(page)


@post(LIST, status_code=200)
async def invite(page: NamedDependency[Page], slug: FromPath[str]) -> Response[str]:
    """The link is in this one answer; a mail brings it too, where mail is sent. Sent twice it is one invitation."""
    try:
        role = role_of(page.form.text("role"))
        invitation, link = await members.invite(
            page.actor, page.slug, page.form.text("email"), role, idempotency_key=page.form.sending
        )
    except Repeated:
        return page.go(_address(page, done="invited"))
    except (ValidationFailed, Conflict) as problem:
        return await _list(page, problem, at="email")
    return page.show(
        "people/invited.html", 201, invitation=invitation, link=link, by_mail=mail.current().configured, role=ROLES[role]
    )


@post(f"{LIST}/invitations/{{invitation_id:str}}/withdrawal", status_code=200)
async def withdraw(page: NamedDependency[Page], slug: FromPath[str], invitation_id: FromPath[str]) -> Response[str]:
    await members.withdraw_invitation(page.actor, page.slug, invitation_id)
    return page.go(_address(page, done="withdrawn"))


@post(f"{LIST}/{{user_id:str}}/role", status_code=200)
async def change_role(page: NamedDependency[Page], slug: FromPath[str], user_id: FromPath[str]) -> Response[str]:
    try:
        await members.change_role(
            page.actor, page.slug, user_id, role_of(page.form.text("newRole")), seen=page.form.text("seen") or None
        )
    except Conflict as problem:
        return await _list(page, problem)
    return page.go(_address(page, done="role"))


@get(f"{LIST}/{{user_id:str}}/removal")
async def removal_form(page: NamedDependency[Page], slug: FromPath[str], user_id: FromPath[str]) -> Response[str]:
    page.require(Action.LEAVE_WORKSPACE if user_id == page.actor.id else Action.REMOVE_MEMBER)
    return page.show("people/removal.html", **await _leaving(page, user_id), stale=False)


@post(f"{LIST}/{{user_id:str}}/removal", status_code=200)
async def removal(page: NamedDependency[Page], slug: FromPath[str], user_id: FromPath[str]) -> Response[str]:
    try:
        # Who may not see the keys decides without them.
        seen = page.form.text("seen") if page.may(Action.READ_MANAGEMENT_KEYS) else None
        await members.remove(page.actor, page.slug, user_id, page.form.texts("takeOver"), seen=seen)
    except Stale:
        return page.show("people/removal.html", 409, **await _leaving(page, user_id), stale=True)
    except (ValidationFailed, Conflict) as problem:
        return again(page, "people/removal.html", problem, **await _leaving(page, user_id), stale=False)
    return page.go("/account" if user_id == page.actor.id else _address(page, done="removed"))


async def _list(page: Page, problem: Problem | None = None, *, at: str = WHOLE) -> Response[str]:
    context: dict[str, Any] = {
        "members": await members.members(page.actor, page.slug),
        "invitations": await members.invitations(page.actor, page.slug),
        "roles": ROLES,
        "by_mail": mail.current().configured,
    }
    return again(page, "people/members.html", problem, at=at, **context) if problem else page.show("people/members.html", **context)


async def _leaving(page: Page, user_id: str) -> dict[str, Any]:
    """The member, and the management keys that end with them, as far as the reader may know of them. Raises NotFound."""
    everybody = await members.members(page.actor, page.slug)
    member = next((each for each in everybody if each.user.id == user_id), None)
    if member is None:
        raise NotFound("member")
    keys = await management.living_of(page.actor, page.slug, user_id) if page.may(Action.READ_MANAGEMENT_KEYS) else []
    return {
        "member": member,
        "leaving": user_id == page.actor.id,
        "is_last_owner": [each for each in everybody if each.role is Role.OWNER] == [member],
        "keys": keys,
        "seen": version_of_all(key.id for key in keys),
    }


def _address(page: Page, done: str) -> str:
    """The list, which says what was done."""
    return page.to("settings", "members", done=done)


HANDLERS = (listing, invite, withdraw, change_role, removal_form, removal)
