"""Changes several keys at once: one result for each, in their order; those of one workspace are changed together or not at all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final, TypeAlias

from app.access.actor import Actor
from app.access.policy import Action
from app.errors import FieldProblem, NotAllowed, NotFound, Problem, ValidationFailed
from app.keys import changes, store, validation
from app.keys.key import ApiKey, Reason
from app.keys.queries import WHAT
from app.tenancy import service as tenancy
from app.tenancy.service import Change

MOST_AT_ONCE: Final = 100
# The result for one of several keys: the key as it is now, or why it was not changed.
Changed: TypeAlias = ApiKey | Problem
_Make: TypeAlias = Callable[[Change, ApiKey], Awaitable[ApiKey]]


async def revoke_all(
    actor: Actor, key_ids: Sequence[str], reason: Reason, note: str | None = None, *, slug: str | None = None
) -> list[Changed]:
    """Revokes several keys. Raises as `change_all` does; a key's result may be NotFound or NotAllowed."""
    revoke = partial(changes.make_revoked, reason=reason, note=validation.note(note))
    return await change_all(actor, key_ids, Action.REVOKE_API_KEY, revoke, slug)


async def suspend_all(actor: Actor, key_ids: Sequence[str], *, slug: str | None = None) -> list[Changed]:
    """Suspends several keys. Raises as `change_all` does; a key's result may also be Conflict."""
    return await change_all(actor, key_ids, Action.SUSPEND_API_KEY, changes.make_suspended, slug)


async def resume_all(actor: Actor, key_ids: Sequence[str], *, slug: str | None = None) -> list[Changed]:
    """Resumes several keys. Raises as `change_all` does; a key's result may also be Conflict."""
    return await change_all(actor, key_ids, Action.RESUME_API_KEY, changes.make_active, slug)


async def update_all(actor: Actor, key_ids: Sequence[str], edit: Mapping[str, Any], *, slug: str | None = None) -> list[Changed]:
    """Changes the same settings of several keys. Raises as `change_all` does; a key's result may also be Conflict or
    ValidationFailed."""
    return await change_all(actor, key_ids, Action.UPDATE_API_KEY, partial(changes.edit_in, edit=edit), slug)


async def change_all(actor: Actor, key_ids: Sequence[str], action: Action, make: _Make, slug: str | None = None) -> list[Changed]:
    """Changes several keys of any workspaces, or of one, with `make`, which raises a Problem before it writes anything.

    Raises ValidationFailed for none or more than MOST_AT_ONCE, and NotAllowed if that is the answer for all of them.
    """
    require_some(key_ids, MOST_AT_ONCE)
    answers: dict[str, Changed] = {}
    for home, theirs in (await _by_workspace(key_ids, slug)).items():
        answers |= await _change_of(actor, slug, home, theirs, action, make)
    refuse_if_none_is_allowed(list(answers.values()), len(set(key_ids)))
    return [answers.get(key_id) or NotFound(WHAT) for key_id in key_ids]


def require_some(key_ids: Sequence[str], most: int) -> None:
    """Raises ValidationFailed for no key, or too many."""
    if not key_ids:
        raise ValidationFailed(FieldProblem("ids", "REQUIRED", "Name the keys that are to be changed."))
    if len(key_ids) > most:
        raise ValidationFailed(FieldProblem("ids", "TOO_MANY", f"At most {most} keys at once, please."))


def refuse_if_none_is_allowed(answers: Sequence[object], asked: int) -> None:
    """Raises NotAllowed if that is the answer for each of the keys."""
    refusals = [answer for answer in answers if isinstance(answer, NotAllowed)]
    if refusals and len(refusals) == asked:
        raise refusals[0]


async def _by_workspace(key_ids: Sequence[str], slug: str | None) -> dict[str | None, list[str]]:
    """The keys to change in each workspace, each once; None is the workspace with the slug."""
    each_once = list(dict.fromkeys(key_ids))
    if slug is not None:
        return {None: each_once}
    homes = await store.workspaces_of(each_once)
    found: dict[str | None, list[str]] = {}
    for key_id in each_once:
        if key_id in homes:
            found.setdefault(homes[key_id], []).append(key_id)
    return found


async def _change_of(
    actor: Actor, slug: str | None, home: str | None, key_ids: list[str], action: Action, make: _Make
) -> dict[str, Changed]:
    """Changes keys of one workspace in one change; nothing if the actor does not belong to that workspace."""
    try:
        async with tenancy.changing(actor, slug, action, workspace_id=home) as change:
            before = {key.id: key for key in await store.find_many(change.workspace.id, key_ids)}
            return {key_id: await _changed(change, before[key_id], make) for key_id in key_ids if key_id in before}
    except NotFound:
        return {}
    except NotAllowed as refusal:
        return dict.fromkeys(key_ids, refusal)


async def _changed(change: Change, key: ApiKey, make: _Make) -> Changed:
    try:
        return await make(change, key)
    except Problem as problem:
        return problem
