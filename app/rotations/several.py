"""Starts rotations of several keys: one result for each, each in a change of its own, so that verification never waits for all."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final, TypeAlias

from app import database
from app.access.actor import Actor
from app.errors import Problem
from app.keys.idempotency import require_valid
from app.keys.several import refuse_if_none_is_allowed, require_some
from app.rotations.start import Started, start
from app.rotations.validation import RotationOptions, checked_deadline

MOST_AT_ONCE: Final = 50
# The result for one of several keys: its rotation, or why it was not started.
Result: TypeAlias = Started | Problem


async def start_all(
    actor: Actor,
    key_ids: Sequence[str],
    options: RotationOptions,
    *,
    slug: str | None = None,
    idempotency_key: str | None = None,
    replace_unused: bool = False,
) -> list[Result]:
    """Starts a rotation of each key, as `start` does. With an idempotency key each of them can be repeated on its own: after a lost
    answer, or one that named fewer keys.

    Raises ValidationFailed for options that no rotation can have, and for none or more than MOST_AT_ONCE keys; NotAllowed if that
    is the answer for all of them.
    """
    require_some(key_ids, MOST_AT_ONCE)
    require_valid(idempotency_key)
    checked_deadline(options, await database.now())
    begin = partial(
        start,
        actor,
        slug=slug,
        deadline=options.deadline,
        on_deadline=options.on_deadline,
        quiet_seconds=options.quiet_seconds,
        idempotency_key=idempotency_key,
        replace_unused=replace_unused,
    )
    answers: dict[str, Result] = {}
    for key_id in dict.fromkeys(key_ids):
        try:
            answers[key_id] = await begin(key_id, operation=f"rotateApiKeys {key_id}")
        except Problem as problem:
            answers[key_id] = problem
    refuse_if_none_is_allowed(list(answers.values()), len(answers))
    return [answers[key_id] for key_id in key_ids]
