"""The items of the checklist, and what is known about each, as frozen data. Instants in microseconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from app.access.actor import ActorRef
from app.clock import DAY
from app.keys.key import ApiKey
from app.keys.living import LeakedKey, LivingKey
from app.rotations.rotation import Rotation

# How far back use of a permission counts, and how old a key must be before it is judged by its use.
USE_DAYS: Final = 90
JUDGED_AFTER_DAYS: Final = 30
# How long a request in a wrong environment, and a visit to the pages that show usage, count.
MISPLACED_DAYS: Final = 30
VISIT_DAYS: Final = 30


class ItemName(StrEnum):
    """In the order of the checklist."""

    ENVIRONMENTS_SEPARATED = "ENVIRONMENTS_SEPARATED"
    LEAST_PERMISSIONS = "LEAST_PERMISSIONS"
    PRODUCTION_ROTATED = "PRODUCTION_ROTATED"
    TEMPORARY_EXPIRING = "TEMPORARY_EXPIRING"
    ROTATED_REVOKED = "ROTATED_REVOKED"
    USAGE_REVIEWED = "USAGE_REVIEWED"
    KEYS_OUT_OF_CODE = "KEYS_OUT_OF_CODE"
    COMPROMISE_PROCESS = "COMPROMISE_PROCESS"


class Remedy(StrEnum):
    """The action that fixes an item or what one key breaks of it."""

    CREATE_KEY = "CREATE_KEY"
    TRIM_PERMISSIONS = "TRIM_PERMISSIONS"
    REVOKE = "REVOKE"
    ROTATE = "ROTATE"
    REMOVE_EXPIRY = "REMOVE_EXPIRY"
    SET_EXPIRY = "SET_EXPIRY"
    FINISH_ROTATION = "FINISH_ROTATION"
    REVIEW_USAGE = "REVIEW_USAGE"
    ATTEST = "ATTEST"


TITLES: Final[Mapping[ItemName, str]] = {
    ItemName.ENVIRONMENTS_SEPARATED: "Each environment has its own keys",
    ItemName.LEAST_PERMISSIONS: "Keys have only the permissions that they use",
    ItemName.PRODUCTION_ROTATED: "Production keys do not expire, and are rotated on schedule",
    ItemName.TEMPORARY_EXPIRING: "Temporary keys expire",
    ItemName.ROTATED_REVOKED: "Old keys are revoked after rotation",
    ItemName.USAGE_REVIEWED: "Usage is looked at regularly",
    ItemName.KEYS_OUT_OF_CODE: "Keys are in environment variables, not in code",
    ItemName.COMPROMISE_PROCESS: "There is a process for compromised keys",
}
# The items that only people know about, and how long a confirmation of each is valid.
ATTESTED_DAYS: Final[Mapping[ItemName, int]] = {ItemName.KEYS_OUT_OF_CODE: 90, ItemName.COMPROMISE_PROCESS: 180}


@dataclass(frozen=True, slots=True)
class Attestation:
    """A person's confirmation that an item is met. `runbook_url`: where the process for compromised keys is written down."""

    item: ItemName
    at: int
    by: ActorRef
    runbook_url: str | None = None


@dataclass(frozen=True, slots=True)
class Visit:
    """When a member last opened a page that shows how keys are used, exact to a day."""

    user_id: str
    name: str
    at: int


@dataclass(frozen=True, slots=True)
class Facts:
    """What the checklist is computed from.

    `unused`: for each key of at least JUDGED_AFTER_DAYS, the permissions that no request asked for in the last USE_DAYS, if any.
    `misplaced`: keys that were refused in another environment. `rotations`: the open ones. `visits` and `leaks`: newest first.
    """

    keys: tuple[LivingKey, ...] = ()
    unused: Mapping[str, frozenset[str]] | None = None
    misplaced: frozenset[str] = frozenset()
    rotations: tuple[Rotation, ...] = ()
    visits: tuple[Visit, ...] = ()
    leaks: tuple[LeakedKey, ...] = ()
    attestations: Mapping[ItemName, Attestation] | None = None


@dataclass(frozen=True, slots=True)
class Breach:
    """A key that breaks an item, why, and what fixes it. `permissions`: the unused ones."""

    key_id: str
    name: str
    prefix: str
    at: int
    cause: str
    remedy: Remedy | None
    permissions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """An item as it is now. `breaches` by age, the oldest key first; `remedy`: what fixes the item as a whole.

    `valid_until`: when the attestation has to be renewed.
    """

    name: ItemName
    passed: bool
    reason: str
    breaches: tuple[Breach, ...] = ()
    remedy: Remedy | None = None
    attestation: Attestation | None = None
    valid_until: int | None = None
    visits: tuple[Visit, ...] = ()

    @property
    def title(self) -> str:
        return TITLES[self.name]

    @property
    def is_attested(self) -> bool:
        """Whether people confirm it, because no data shows it."""
        return self.name in ATTESTED_DAYS


@dataclass(frozen=True, slots=True)
class Checklist:
    """All items, in their order."""

    results: tuple[Result, ...]

    @property
    def passed(self) -> int:
        """How many items are met."""
        return sum(result.passed for result in self.results)

    @property
    def total(self) -> int:
        return len(self.results)

    @property
    def failing(self) -> tuple[Result, ...]:
        return tuple(result for result in self.results if not result.passed)

    def result(self, name: ItemName) -> Result:
        return next(result for result in self.results if result.name is name)


@dataclass(frozen=True, slots=True)
class PermissionUse:
    """The permissions of a key, each with how many requests asked for it in the last USE_DAYS."""

    key: ApiKey
    requests: tuple[tuple[str, int], ...]

    @property
    def judged_from(self) -> int:
        """From when its use says what it needs."""
        return self.key.created_at + JUDGED_AFTER_DAYS * DAY

    @property
    def unused(self) -> tuple[str, ...]:
        return tuple(name for name, requests in self.requests if not requests)
