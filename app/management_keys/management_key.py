"""A management key as frozen data, and the validation of its input."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Generic, TypeVar

from app.access.actor import Actor, ActorKind, OperatorScope, Request, Scope
from app.clock import DAY, MINUTE
from app.errors import FieldProblem, ValidationFailed
from app.keys import networks
from app.keys.secret import mask_secrets
from app.keys.validation import name_fault
from app.names import plain_name
from app.users.user import User

MANAGEMENT_KEY_ID: Final = "mgk"

LONGEST_LIFE_DAYS: Final = 365
MOST_LIVING: Final = 100
# `last_used_at` has this precision, so that a busy program does not cause a write for every request.
_TOUCHED_EVERY: Final = MINUTE

S = TypeVar("S", Scope, OperatorScope)


class Status(StrEnum):
    """Both endings are final."""

    ACTIVE = "ACTIVE"
    EXPIRED = "EXPIRED"
    REVOKED = "REVOKED"


def status_at(now: int, expires_at: int, revoked_at: int | None) -> Status:
    if revoked_at is not None:
        return Status.REVOKED
    return Status.EXPIRED if now >= expires_at else Status.ACTIVE


def was_just_used(last_used_at: int | None, now: int) -> bool:
    """Whether a use need not be stored again. An instant ahead counts as old: it was written while the clock was ahead."""
    return last_used_at is not None and abs(now - last_used_at) < _TOUCHED_EVERY


@dataclass(frozen=True, slots=True)
class ManagementKey:
    """Instants in microseconds; `maker` is None for a key created by the operator, which acts with an owner's rights.

    `allowed_ips` are networks; empty: any address.
    """

    id: str
    workspace_id: str
    name: str
    prefix: str
    scopes: tuple[Scope, ...]
    allowed_ips: tuple[str, ...]
    maker: User | None
    created_at: int
    expires_at: int
    revoked_at: int | None
    last_used_at: int | None

    def status(self, now: int) -> Status:
        return status_at(now, self.expires_at, self.revoked_at)

    def admits(self, address: str) -> bool:
        """Whether the key may be used from this address, which is empty if unknown."""
        return not self.allowed_ips or networks.is_allowed(address, self.allowed_ips)

    def actor(self, request: Request) -> Actor:
        """The actor of this key: its maker's rights, limited to its scopes and its workspace."""
        return Actor(
            ActorKind.MANAGEMENT_KEY,
            self.id,
            self.name,
            user_id=self.maker.id if self.maker else None,
            user_name=self.maker.name if self.maker else "",
            workspace_id=self.workspace_id,
            scopes=frozenset(self.scopes),
            request=request,
        )


@dataclass(frozen=True, slots=True)
class Checked(Generic[S]):
    """Validated input: the scopes in the table's order, the networks in their stored form, both without duplicates."""

    name: str
    scopes: tuple[S, ...]
    allowed_ips: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ManagementKeyInput:
    """Input for a key that was not validated yet; `expires_at` in microseconds.

    `is_relative`: the expiry was counted from now, so the same request means another instant each time it is sent.
    """

    name: str
    scopes: tuple[str, ...]
    expires_at: int
    allowed_ips: tuple[str, ...] = ()
    is_relative: bool = False

    def fingerprint(self, checked: Checked[Scope]) -> list[Any]:
        """What must be equal for two requests to count as the same, as JSON data."""
        return [checked.name, [*checked.scopes], [*checked.allowed_ips], *([] if self.is_relative else [self.expires_at])]

    def checked(self, now: int, scopes: type[S], what: str) -> Checked[S]:
        """The validated input for a key with these scopes, and what messages call it. Raises ValidationFailed with every fault."""
        faults = [fault for fault in (name_fault(self.name), self._expiry_fault(now, what)) if fault]
        faults += [
            FieldProblem(
                "scopes",
                "UNKNOWN",
                f"There is no scope {mask_secrets(name)[:60]!r}; there are: {', '.join(scopes)}.",
                self.scopes.index(name),
            )
            for name in dict.fromkeys(self.scopes)
            if name not in set(scopes)
        ]
        if not self.scopes:
            faults.append(FieldProblem("scopes", "REQUIRED", "Choose at least one scope."))
        allowed_ips = networks.checked(self.allowed_ips, faults)
        if faults:
            raise ValidationFailed(*faults)
        return Checked(plain_name(self.name), tuple(scope for scope in scopes if scope in self.scopes), allowed_ips)

    def _expiry_fault(self, now: int, what: str) -> FieldProblem | None:
        if self.expires_at <= now:
            return FieldProblem("expiresAt", "IN_THE_PAST", "Choose a time in the future.")
        if self.expires_at > now + LONGEST_LIFE_DAYS * DAY:
            return FieldProblem("expiresAt", "TOO_LATE", f"{what} lives {LONGEST_LIFE_DAYS} days at most.")
        return None
