"""Previews what a new catalogue would change for existing keys. A catalogue revokes no key; it changes how keys are judged."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from app import catalogue, database
from app.access import policy
from app.access.actor import Actor
from app.access.policy import OperatorAction
from app.catalogue import Catalogue
from app.clock import DAY, rfc3339
from app.doctor.finding import Finding, ok, warn
from app.doctor.store import living_keys
from app.keys.key import ApiKey, RotationDue

_DUE: Final = {RotationDue.DUE_SOON: "due soon", RotationDue.OVERDUE: "overdue"}


async def preview(actor: Actor, new: Catalogue) -> list[Finding]:
    """One line for each live key and each difference. Read-only. Operator only. Raises Unavailable."""
    policy.require_operator(actor, OperatorAction.PREVIEW_CATALOGUE)
    now, old = await database.now(), catalogue.current()
    checked, found = 0, []
    async for slug, key in living_keys(now):
        checked += 1
        found += [warn(what, f"{slug}, {key.name} ({key.id}) {text}") for what, text in changes(key, old, new, now)]
    return found or [ok("catalogue", f"nothing would be otherwise for {checked} living key{'' if checked == 1 else 's'}")]


def changes(key: ApiKey, old: Catalogue, new: Catalogue, now: int) -> Iterator[tuple[str, str]]:
    """The differences: a word for each, and the rest of a sentence whose subject is the key."""
    yield from _left(key, old, new)
    yield from _due(key, old, new, now)
    before = dict(_too_long(key, old))
    yield from ((what, text) for what, text in _too_long(key, new) if what not in before)


def _left(key: ApiKey, old: Catalogue, new: Catalogue) -> Iterator[tuple[str, str]]:
    names = [name for name in key.permissions if name in old.permissions and name not in new.permissions]
    if names:
        yield "permission", f"would hold {', '.join(names)}, no longer offered: it verifies as before, no new key gets it"
    if key.environment in old.environments and key.environment not in new.environments:
        yield "environment", f"would run in {key.environment}, no longer offered: it verifies as before and cannot be rotated"


def _due(key: ApiKey, old: Catalogue, new: Catalogue, now: int) -> Iterator[tuple[str, str]]:
    every = new.environment(key.environment).rotate_every_days
    before = key.rotation_due(old.environment(key.environment).rotate_every_days, now)
    after, rotate_by = key.rotation_due(every, now), key.rotate_by(every)
    if after is not before and after in _DUE and rotate_by is not None:
        yield _DUE[after], f"would be {_DUE[after]} for rotation: by {rfc3339(rotate_by)}"


def _too_long(key: ApiKey, known: Catalogue) -> Iterator[tuple[str, str]]:
    """Lifetimes that a new key could not have; existing keys keep them."""
    environment = known.environment(key.environment)
    longest = environment.max_lifetime_days
    if key.expires_at is None:
        if environment.must_expire:
            yield "no expiry", f"has no expiry, which new keys of {environment.name} must have; it keeps none"
    elif longest is not None and key.expires_at > key.lifetime_started_at + longest * DAY:
        yield "maximum", f"lives until {rfc3339(key.expires_at)}, beyond the {longest} days from its beginning; it keeps that end"
