"""The owner of a key: the member of its workspace who is responsible for it, at first the one who created it."""

from __future__ import annotations

from dataclasses import replace

from app import ids
from app.access.actor import Actor
from app.keys.key import ApiKey, KeySettings, Owner
from app.tenancy import store as workspace_store
from app.users.user import USER_ID


async def known(asked: KeySettings, workspace_id: str, *, of: ApiKey | None = None) -> KeySettings:
    """The settings with what is known of the owner that they name; one who is no member here stays unknown.

    `of`: the key being edited, which keeps an owner who has left.
    """
    if asked.owner is None:
        return asked
    if of is not None and asked.owner == of.owner:
        return replace(asked, owner=of.owner)
    return replace(asked, owner=await _member(workspace_id, asked.owner.id) or Owner(asked.owner.id))


async def of_new(asked: KeySettings, actor: Actor, workspace_id: str) -> KeySettings:
    """The settings of a key that the actor creates, with its owner: the one that they name, else the user who creates it, or who
    made the management key that does."""
    if asked.owner is not None:
        return await known(asked, workspace_id)
    return replace(asked, owner=Owner(actor.user_id, actor.user_name, is_member=True)) if actor.user_id is not None else asked


async def _member(workspace_id: str, user_id: str) -> Owner | None:
    member = await workspace_store.find_member(workspace_id, user_id) if ids.is_a(USER_ID, user_id) else None
    return Owner(member.user.id, member.user.name, is_member=True) if member else None
