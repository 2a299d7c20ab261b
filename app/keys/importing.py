"""Imports keys that were issued elsewhere: they verify by the hash that was kept there until they are used.

A key's id follows from its hash and a secret of this installation. So a file that is imported again creates nothing again, and a
key that was revoked here is never created, not even in an older copy of the database: the journal has its id.
"""

from __future__ import annotations

import hmac
import itertools
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from app import catalogue, ids
from app.access import policy
from app.access.actor import Actor
from app.access.policy import Action, OperatorAction
from app.audit import service as audit
from app.catalogue import Catalogue
from app.errors import PlanLimitReached, ValidationFailed
from app.journal import file as journal
from app.journal.lines import Contents
from app.keys import changes, events, foreign, leak_digest, store, validation
from app.keys.import_columns import Source
from app.keys.import_file import Line
from app.keys.key import API_KEY_ID, ApiKey, KeySettings
from app.peppers import service as peppers
from app.plans import service as plans
from app.plans.plan import Meter
from app.tenancy import service as tenancy
from app.tenancy.service import SYSTEM_CHAIN, Access, Change

# Keys that are imported in one change, while others wait for their workspace.
AT_ONCE: Final = 50
_MOST_IDS: Final = 500
_PURPOSE: Final = "imported keys"
_REVOKED: Final = "This key was revoked here."
_ELSEWHERE: Final = "This key belongs to another workspace already."


class State(StrEnum):
    NEW = "NEW"
    EXISTS = "EXISTS"
    REFUSED = "REFUSED"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was, or would be, done with a line; `reason` why it is refused."""

    line: int
    name: str
    state: State
    key_id: str | None = None
    reason: str | None = None


@dataclass(slots=True)
class _Judge:
    """Decides on one line after another, and counts what it lets in. `homes`: the workspace of each imported key that exists;
    `book`: what the journal says of others."""

    access: Access
    offered: Catalogue
    meter: Meter
    identity: bytes
    homes: dict[str, str]
    book: Contents

    def judge(self, line: Line) -> tuple[Outcome, KeySettings | None]:
        """The settings are those of a new key."""
        if line.refusal is not None:
            return self._refused(line, line.refusal), None
        key_id = _id(self.identity, line)
        if key_id in self.homes:
            if self.homes[key_id] != self.access.workspace.id:
                return self._refused(line, _ELSEWHERE), None
            return Outcome(line.number, line.settings.name, State.EXISTS, key_id), None
        if key_id in self.book.keys:
            return self._refused(line, _REVOKED), None
        try:
            checked = validation.checked(line.settings, self.offered, self.access.now)
            if not self.meter.has_room:
                raise plans.limit_reached(self.meter)
        except (ValidationFailed, PlanLimitReached) as refusal:
            return self._refused(line, refusal.message), None
        self.meter = replace(self.meter, used=self.meter.used + 1)
        self.homes[key_id] = self.access.workspace.id
        return Outcome(line.number, checked.name, State.NEW, key_id), checked

    def _refused(self, line: Line, reason: str) -> Outcome:
        return Outcome(line.number, line.settings.name, State.REFUSED, reason=reason)


async def preview(actor: Actor, slug: str, lines: Iterable[Line]) -> list[Outcome]:
    """What `apply` would do now; nothing is changed. Operator only."""
    policy.require_operator(actor, OperatorAction.IMPORT)
    access = await tenancy.reading(actor, slug, Action.CREATE_API_KEY)
    every = list(lines)
    judge = await _judge(access, every)
    return [judge.judge(line)[0] for line in every]


async def apply(actor: Actor, slug: str, source: Source, lines: Iterable[Line]) -> list[Outcome]:
    """Creates the keys of these lines, AT_ONCE in a change, and reports every line. Refused ones keep none of the others from being
    imported. Interrupted, it is repeated: what exists already is not created again. Operator only. Raises OSError if the journal,
    which knows keys that were revoked, cannot be read."""
    policy.require_operator(actor, OperatorAction.IMPORT)
    outcomes, rest = list[Outcome](), iter(lines)
    while chunk := list(itertools.islice(rest, AT_ONCE)):
        async with tenancy.changing(actor, slug, Action.CREATE_API_KEY) as change:
            judge = await _judge(change.access, chunk)
            suspended = judge.book.suspended_keys
            for line in chunk:
                outcome, new = judge.judge(line)
                outcomes.append(outcome)
                if new is not None and outcome.key_id is not None:
                    key = await _add(change, outcome.key_id, new, line, source)
                    if outcome.key_id in suspended:
                        await changes.suspend_in(change, key, **{"from": "the journal"})
    return outcomes


async def adopt(key_id: str, workspace_id: str, secret: str) -> None:
    """Gives an imported key, now that its secret was seen, the digests that all keys have. Call inside a transaction."""
    pepper = peppers.current().current
    leaked = await audit.derived_key_of(workspace_id, leak_digest.PURPOSE)
    await store.adopt(key_id, pepper.digest(secret), pepper.version, leak_digest.keyed(leaked, leak_digest.sha256_of(secret)))


async def _judge(access: Access, lines: Iterable[Line]) -> _Judge:
    identity = await audit.derived_key_of(SYSTEM_CHAIN, _PURPOSE)
    named = [_id(identity, line) for line in lines if line.refusal is None]
    homes: dict[str, str] = {}
    for start in range(0, len(named), _MOST_IDS):
        homes |= await store.workspaces_of(named[start : start + _MOST_IDS])
    book = await journal.current().contents()
    return _Judge(access, catalogue.current(), await plans.meter(access), identity, homes, book)


def _id(identity: bytes, line: Line) -> str:
    return ids.of(API_KEY_ID, hmac.digest(identity, line.algorithm.encode() + b"\0" + line.hashed, "sha256"))


async def _add(change: Change, key_id: str, new: KeySettings, line: Line, source: Source) -> ApiKey:
    pepper = peppers.current().current
    key = ApiKey(
        **new.values(),
        id=key_id,
        workspace_id=change.workspace.id,
        prefix=line.prefix,
        created_at=change.now,
        created_by=change.actor.ref,
        suspended_at=None,
        revocation=None,
        last_used_at=None,
        last_used_ip=None,
    )
    # Scanners ask by SHA-256, so they know a key that was imported by another hash only once it was used.
    leaked = leak_digest.keyed(await audit.derived_key(change, leak_digest.PURPOSE), line.hashed)
    digest = foreign.keyed(pepper, line.algorithm, line.hashed)
    await store.add(key, digest, foreign.unused_version(pepper), leaked if line.algorithm == "sha256" else None)
    await store.add_imported(key_id, source, line.external_id, line.algorithm, change.now)
    await audit.record(change, events.IMPORTED, key_id, source=str(source), prefix=key.prefix, **key.detail())
    return key
