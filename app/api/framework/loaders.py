"""Data loaders: one statement for what many keys of one response need."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from strawberry.dataloader import DataLoader

from app.access import policy
from app.access.actor import Actor
from app.access.policy import Action
from app.alerts import service as alerts
from app.alerts.alert import Alert, Kind
from app.audit import service as audit
from app.errors import NotAllowed, NotFound, ValidationFailed
from app.keys import service as keys
from app.keys.key import ApiKey
from app.plans import service as plans
from app.plans.plan import Meter
from app.rotations import service as rotations
from app.rotations.rotation import Progress
from app.rotations.service import Impact, Relatives
from app.tenancy import service as tenancy
from app.tenancy.service import Access
from app.usage import caller_service, service
from app.usage.caller import Caller
from app.usage.usage import Granularity, Totals, Usage

Found = TypeVar("Found")


class UsagePeriod(NamedTuple):
    """The period and step of a usage; None as in `usage.service.period`."""

    since: int | None
    until: int | None
    granularity: Granularity


class WorkspaceLoader:
    """Access to workspaces, and their meters: each is loaded once for all concurrent requests.

    A query `remembers` the access that it found; a mutation loads it again, because it may have changed it.
    """

    def __init__(self, actor: Actor, *, remembers: bool = False) -> None:
        self._actor = actor
        self._access: DataLoader[str, Access] = DataLoader(self._seen, cache=remembers)
        self._meter: DataLoader[Access, Meter] = DataLoader(_meters, cache=False)

    async def load(self, workspace_id: str) -> Access:
        """Raises NotFound for a workspace that the actor does not belong to now."""
        return await self._access.load(workspace_id)

    async def of(self, keys: Iterable[ApiKey]) -> list[tuple[Access, list[ApiKey]]]:
        """These keys by their workspaces. Raises NotFound as `load` does."""
        found: dict[str, list[ApiKey]] = defaultdict(list)
        for key in dict.fromkeys(keys):
            found[key.workspace_id].append(key)
        return [*zip(await self._access.load_many(found), found.values(), strict=True)]

    async def meter(self, access: Access) -> Meter:
        return await self._meter.load(access)

    async def _seen(self, workspace_ids: list[str]) -> list[Access | NotFound]:
        found: dict[str, Access | NotFound] = {}
        for workspace_id in dict.fromkeys(workspace_ids):
            try:
                found[workspace_id] = await tenancy.seen(self._actor, None, workspace_id=workspace_id)
            except NotFound as refusal:
                found[workspace_id] = refusal
        return [found[workspace_id] for workspace_id in workspace_ids]


class UsageLoader:
    """One statement for each span, and for each number of days, for any number of keys of a workspace."""

    def __init__(self, workspaces: WorkspaceLoader) -> None:
        self._workspaces = workspaces
        self._usage: DataLoader[tuple[ApiKey, UsagePeriod], Usage] = DataLoader(self._load_usage)
        self._used: DataLoader[tuple[ApiKey, int], frozenset[str]] = DataLoader(self._load_used)
        self._all_time: DataLoader[ApiKey, Totals] = DataLoader(self._load_all_time)
        self._lines: DataLoader[ApiKey, list[ApiKey]] = DataLoader(self._load_lines)

    async def load(self, key: ApiKey, span: UsagePeriod) -> Usage:
        """The usage of a key. Raises ValidationFailed for an invalid span."""
        return await self._usage.load((key, span))

    async def permissions_used(self, key: ApiKey, days: int) -> frozenset[str]:
        """The permissions with which the key was successful in the last days."""
        return await self._used.load((key, days))

    async def all_time(self, key: ApiKey) -> Totals:
        """All requests of the key."""
        return await self._all_time.load(key)

    async def of_lineage(self, key: ApiKey) -> tuple[Totals, int]:
        """All requests of the key's lineage, and how many keys it has."""
        line = await self._lines.load(key)
        return sum(await self._all_time.load_many(line), Totals()), len(line)

    async def _load_all_time(self, requested: list[ApiKey]) -> list[Totals]:
        found: dict[str, Totals] = {}
        for access, own in await self._workspaces.of(requested):
            found |= await service.all_time(access, own)
        return [found[key.id] for key in requested]

    async def _load_lines(self, requested: list[ApiKey]) -> list[list[ApiKey]]:
        found: dict[str, list[ApiKey]] = {}
        for access, own in await self._workspaces.of(requested):
            found |= await rotations.lineages(access, own, Action.READ_USAGE)
        return [found[key.id] for key in requested]

    async def _load_usage(self, requested: list[tuple[ApiKey, UsagePeriod]]) -> Sequence[Usage | ValidationFailed]:
        found: dict[tuple[str, UsagePeriod], Usage | ValidationFailed] = {}
        for span in dict.fromkeys(span for _, span in requested):
            for access, own in await self._workspaces.of(key for key, its in requested if its == span):
                try:
                    usages = await service.of_keys(access, own, *span)
                    found |= {(key_id, span): usage for key_id, usage in usages.items()}
                except ValidationFailed as refusal:
                    found |= {(key.id, span): refusal for key in own}
        return [found[key.id, span] for key, span in requested]

    async def _load_used(self, requested: list[tuple[ApiKey, int]]) -> list[frozenset[str]]:
        found: dict[tuple[str, int], frozenset[str]] = {}
        for days in dict.fromkeys(days for _, days in requested):
            for access, own in await self._workspaces.of(key for key, its in requested if its == days):
                used = await service.used_permissions(access, own, days)
                found |= {(key_id, days): names for key_id, names in used.items()}
        return [found[key.id, days] for key, days in requested]


class KeyLoader:
    """What belongs to a key: its rotation, predecessor and successor, callers. Each in a constant number of statements for
    all keys of a workspace.

    Nothing is cached: a document's second mutation must not show the state before its first.
    """

    def __init__(self, actor: Actor, workspaces: WorkspaceLoader) -> None:
        self._actor, self._workspaces = actor, workspaces
        self._rotation = self._loader(rotations.of_keys)
        self._relatives = self._loader(rotations.relatives)
        self._callers = self._loader(caller_service.of_keys)
        self._impact = self._loader(rotations.impacts)
        self._alerts = self._loader(alerts.of_keys)
        self._expectations = self._loader(alerts.expectations_of_keys)
        self._itself: DataLoader[str, ApiKey] = DataLoader(self._load_itself, cache=False)

    async def rotation(self, key: ApiKey) -> Progress | None:
        """The key's open or latest rotation."""
        return await self._rotation.load(key)

    async def relatives(self, key: ApiKey) -> Relatives:
        return _there(await self._relatives.load(key))

    async def callers(self, key: ApiKey) -> list[Caller]:
        """Newest first."""
        return _there(await self._callers.load(key))

    async def impact(self, key: ApiKey) -> Impact:
        return _there(await self._impact.load(key))

    async def alerts(self, key: ApiKey) -> list[Alert]:
        """Newest first."""
        return await self._alerts.load(key) or []

    async def expectations(self, key: ApiKey) -> dict[Kind, frozenset[str]]:
        return await self._expectations.load(key) or {}

    async def itself(self, key_id: str) -> ApiKey:
        """Raises NotFound."""
        return await self._itself.load(key_id)

    def _loader(
        self, of_keys: Callable[[Access, list[ApiKey]], Awaitable[Mapping[str, Found]]]
    ) -> DataLoader[ApiKey, Found | None]:
        """A loader for a use case that returns data by key id for keys of one workspace."""

        async def load(requested: list[ApiKey]) -> list[Found | None]:
            found: dict[str, Found] = {}
            for access, own in await self._workspaces.of(requested):
                found |= await of_keys(access, own)
            return [found.get(key.id) for key in requested]

        return DataLoader(load, cache=False)

    async def _load_itself(self, key_ids: list[str]) -> list[ApiKey | NotFound]:
        found = await keys.get_many(self._actor, set(key_ids), action=reading(self._actor))
        return [found.get(key_id, NotFound(keys.WHAT)) for key_id in key_ids]


class ChangeLoader:
    """When things were last changed, in one statement for each workspace. Nothing is cached here either."""

    def __init__(self, workspaces: WorkspaceLoader) -> None:
        self._workspaces = workspaces
        self._last: DataLoader[tuple[str, str], int | None] = DataLoader(self._load, cache=False)

    async def last(self, workspace_id: str, target: str, created_at: int) -> int:
        return await self._last.load((workspace_id, target)) or created_at

    async def _load(self, requested: list[tuple[str, str]]) -> list[int | None]:
        found: dict[str, int] = {}
        for workspace_id in dict.fromkeys(workspace_id for workspace_id, _ in requested):
            targets = {target for its, target in requested if its == workspace_id}
            found |= await audit.last_changes(await self._workspaces.load(workspace_id), targets)
        return [found.get(target) for _, target in requested]


def reading(actor: Actor) -> Action:
    """The action for reading a key: with `usage.read` alone its usage, and none of its fields that require another scope."""
    try:
        policy.require_scope(actor, Action.READ_KEYS)
    except NotAllowed:
        return Action.READ_USAGE
    return Action.READ_KEYS


def _there(found: Found | None) -> Found:
    """For what every key has."""
    if found is None:
        raise NotFound(keys.WHAT)
    return found


async def _meters(requested: list[Access]) -> list[Meter]:
    accesses = list(dict.fromkeys(requested))
    found = dict(zip(accesses, await plans.meters(accesses), strict=True))
    return [found[access] for access in requested]
