"""Members of a workspace: inviting, changing roles, removing and leaving."""

from __future__ import annotations

from typing import Any, Final

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from app import mail
from app.access.actor import Role
from app.access.policy import Action
from app.errors import Conflict, NotFound, Problem, ValidationFailed
from app.keys.idempotency import RepeatedRequest
from app.management_keys import service as management_keys
from app.members import service as members
from app.versions import Stale, version_of_all
from app.web.framework.page import Page
from app.web.user_forms import ROLES, WHOLE, render_invalid, role_of

LIST: Final = "/w/{slug:str}/settings/members"


@get(LIST)
async def listing(page: NamedDependency[Page]) -> Response[str]:
    return await _list(page)


@post(LIST, status_code=200)
async def invite(page: NamedDependency[Page]) -> Response[str]:
    """Shows the link only in this response; it is also mailed if mail is configured. Sent twice, it is one invitation."""
    try:
        role = role_of(page.form.text("role"))
        invitation, link = await members.invite(
            page.actor, page.slug, page.form.text("email"), role, idempotency_key=page.form.sending
        )
    except RepeatedRequest:
        return page.go(_address(page, done="invited"))
    except (ValidationFailed, Conflict) as problem:
        return await _list(page, problem, at="email")
    return page.show(
        "members/invited.html", 201, invitation=invitation, link=link, by_mail=mail.current().configured, role=ROLES[role]
    )


@post(f"{LIST}/invitations/{{invitation_id:str}}/withdrawal", status_code=200)
async def withdraw(page: NamedDependency[Page], invitation_id: FromPath[str]) -> Response[str]:
    await members.withdraw_invitation(page.actor, page.slug, invitation_id)
    return page.go(_address(page, done="withdrawn"))


@post(f"{LIST}/{{user_id:str}}/role", status_code=200)
async def change_role(page: NamedDependency[Page], user_id: FromPath[str]) -> Response[str]:
    try:
        await members.change_role(
            page.actor, page.slug, user_id, role_of(page.form.text("newRole")), expected=page.form.text("seen") or None
        )
    except Conflict as problem:
        return await _list(page, problem)
    return page.go(_address(page, done="role"))


@get(f"{LIST}/{{user_id:str}}/removal")
async def removal_form(page: NamedDependency[Page], user_id: FromPath[str]) -> Response[str]:
    page.require(Action.LEAVE_WORKSPACE if user_id == page.actor.id else Action.REMOVE_MEMBER)
    return page.show("members/removal.html", **await _leaving(page, user_id), stale=False)


@post(f"{LIST}/{{user_id:str}}/removal", status_code=200)
async def removal(page: NamedDependency[Page], user_id: FromPath[str]) -> Response[str]:
    try:
        # A reader who may not see the keys decides without them.
        expected = page.form.text("seen") if page.may(Action.READ_MANAGEMENT_KEYS) else None
        await members.remove(page.actor, page.slug, user_id, page.form.texts("takeOver"), expected=expected)
    except Stale:
        return page.show("members/removal.html", 409, **await _leaving(page, user_id), stale=True)
    except (ValidationFailed, Conflict) as problem:
        return render_invalid(page, "members/removal.html", problem, **await _leaving(page, user_id), stale=False)
    return page.go("/account" if user_id == page.actor.id else _address(page, done="removed"))


async def _list(page: Page, problem: Problem | None = None, *, at: str = WHOLE) -> Response[str]:
    context: dict[str, Any] = {
        "members": await members.members(page.access),
        "invitations": await members.invitations(page.access),
        "roles": ROLES,
        "by_mail": mail.current().configured,
    }
    if problem:
        return render_invalid(page, "members/list.html", problem, at=at, **context)
    return page.show("members/list.html", **context)


async def _leaving(page: Page, user_id: str) -> dict[str, Any]:
    """The member, and the management keys that end with the membership, as far as the reader may see them. Raises NotFound."""
    everyone = await members.members(page.access)
    member = next((each for each in everyone if each.user.id == user_id), None)
    if member is None:
        raise NotFound("member")
    keys = await management_keys.live_keys_of(page.access, user_id) if page.may(Action.READ_MANAGEMENT_KEYS) else []
    return {
        "member": member,
        "leaving": user_id == page.actor.id,
        "is_last_owner": [each for each in everyone if each.role is Role.OWNER] == [member],
        "keys": keys,
        "seen": version_of_all(key.id for key in keys),
    }


def _address(page: Page, done: str) -> str:
    """The URL of the list, which then confirms what was done."""
    return page.to("settings", "members", done=done)


HANDLERS = (listing, invite, withdraw, change_role, removal_form, removal)
