"""Gathers what many keys of one answer are asked into one statement."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from strawberry.dataloader import DataLoader

from app import database
from app.access.actor import Actor
from app.audit import service as audit
from app.errors import NotFound, ValidationFailed
from app.keys import service as keys
from app.keys.key import ApiKey
from app.plans import service as plans
from app.plans.plan import Meter
from app.rotations import service as rotations
from app.rotations.rotation import Progress
from app.rotations.service import Impact, Relatives
from app.tenancy import service as tenancy
from app.tenancy.service import Access
from app.tenancy.workspace import Workspace
from app.usage import callers, service
from app.usage.caller import Caller
from app.usage.usage import Granularity, Usage


class Span(NamedTuple):
    """Which requests are asked for; None as in `usage.service.period`."""

    since: int | None
    until: int | None
    granularity: Granularity


class UsageLoader:
    """One statement for each span, and for each number of days, however many keys ask."""

    def __init__(self) -> None:
        self._usage: DataLoader[tuple[str, Span], Usage] = DataLoader(_usage)
        self._used: DataLoader[tuple[str, int], frozenset[str]] = DataLoader(_used)

    async def load(self, key_id: str, span: Span) -> Usage:
        """Raises ValidationFailed for a span that makes no sense."""
        return await self._usage.load((key_id, span))

    async def permissions_used(self, key_id: str, days: int) -> frozenset[str]:
        """The permissions with which the key was successful in the last days."""
        return await self._used.load((key_id, days))


class KeyLoader:
    """What is beside a key: its rotation, its neighbours in its line, its callers. Each in a constant number of statements.

    Nothing is remembered: a document's second mutation must not show what was so before its first.
    """

    def __init__(self) -> None:
        self._rotation: DataLoader[str, Progress | None] = DataLoader(_rotation, cache=False)
        self._relatives: DataLoader[str, Relatives] = DataLoader(_relatives, cache=False)
        self._callers: DataLoader[str, list[Caller]] = DataLoader(_callers, cache=False)
        self._impact: DataLoader[ApiKey, Impact] = DataLoader(_impact, cache=False)
        self._itself: DataLoader[str, ApiKey] = DataLoader(_itself, cache=False)

    async def rotation(self, key_id: str) -> Progress | None:
        """Its open or latest run."""
        return await self._rotation.load(key_id)

    async def relatives(self, key_id: str) -> Relatives:
        return await self._relatives.load(key_id)

    async def callers(self, key_id: str) -> list[Caller]:
        """Newest first."""
        return await self._callers.load(key_id)

    async def impact(self, key: ApiKey) -> Impact:
        return await self._impact.load(key)

    async def itself(self, key_id: str) -> ApiKey:
        """Raises NotFound."""
        return await self._itself.load(key_id)


class WorkspaceLoader:
    """Workspaces as their parts show them: each is looked up, and its keys counted, once for all that ask together.

    Nothing is remembered here either.
    """

    def __init__(self, actor: Actor) -> None:
        self._actor = actor
        self._access: DataLoader[str, Access] = DataLoader(self._seen, cache=False)
        self._meter: DataLoader[tuple[Workspace, int], Meter] = DataLoader(_meters, cache=False)

    async def load(self, workspace_id: str) -> Access:
        """Raises NotFound for a workspace that the actor does not belong to now."""
        return await self._access.load(workspace_id)

    async def meter(self, workspace: Workspace, now: int) -> Meter:
        return await self._meter.load((workspace, now))

    async def _seen(self, workspace_ids: list[str]) -> list[Access | NotFound]:
        found: dict[str, Access | NotFound] = {}
        for workspace_id in dict.fromkeys(workspace_ids):
            try:
                found[workspace_id] = await tenancy.seen(self._actor, None, workspace_id=workspace_id)
            except NotFound as refusal:
                found[workspace_id] = refusal
        return [found[workspace_id] for workspace_id in workspace_ids]


class ChangeLoader:
    """When keys and workspaces were last changed, in one statement. Nothing is remembered here either."""

    def __init__(self) -> None:
        self._last: DataLoader[str, int | None] = DataLoader(_last_changes, cache=False)

    async def last(self, target: str, created_at: int) -> int:
        return await self._last.load(target) or created_at


async def _usage(asked: list[tuple[str, Span]]) -> Sequence[Usage | ValidationFailed]:
    keys: dict[Span, list[str]] = defaultdict(list)
    for key_id, span in asked:
        keys[span].append(key_id)
    found: dict[tuple[str, Span], Usage | ValidationFailed] = {}
    for span, key_ids in keys.items():
        try:
            usages = await service.of_keys(key_ids, *span)
            found |= {(key_id, span): usage for key_id, usage in usages.items()}
        except ValidationFailed as refusal:
            found |= {(key_id, span): refusal for key_id in key_ids}
    return [found[each] for each in asked]


async def _used(asked: list[tuple[str, int]]) -> list[frozenset[str]]:
    keys: dict[int, list[str]] = defaultdict(list)
    for key_id, days in asked:
        keys[days].append(key_id)
    found = {days: await service.used_permissions(key_ids, days) for days, key_ids in keys.items()}
    return [found[days][key_id] for key_id, days in asked]


async def _rotation(key_ids: list[str]) -> list[Progress | None]:
    found = await rotations.of_keys(key_ids)
    return [found.get(key_id) for key_id in key_ids]


async def _relatives(key_ids: list[str]) -> list[Relatives]:
    found = await rotations.relatives(key_ids)
    return [found[key_id] for key_id in key_ids]


async def _callers(key_ids: list[str]) -> list[list[Caller]]:
    found = await callers.of_keys(key_ids)
    return [found[key_id] for key_id in key_ids]


async def _impact(keys: list[ApiKey]) -> list[Impact]:
    found = await rotations.impacts(keys, await database.now())
    return [found[key.id] for key in keys]


async def _itself(key_ids: list[str]) -> list[ApiKey | NotFound]:
    found = await keys.by_id(set(key_ids))
    return [found.get(key_id, NotFound(keys.WHAT)) for key_id in key_ids]


async def _meters(asked: list[tuple[Workspace, int]]) -> list[Meter]:
    found = {each: await plans.meter(*each) for each in dict.fromkeys(asked)}
    return [found[each] for each in asked]


async def _last_changes(targets: list[str]) -> list[int | None]:
    found = await audit.last_changes(set(targets))
    return [found.get(target) for target in targets]
