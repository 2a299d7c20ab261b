"""A management key as frozen data, and the validation of its input."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from app.access.actor import Actor, ActorKind, Request, Scope
from app.clock import DAY
from app.errors import FieldProblem, ValidationFailed
from app.keys import networks
from app.keys.secret import mask_secrets
from app.keys.validation import name_fault
from app.names import plain_name
from app.users.user import User

MANAGEMENT_KEY_ID: Final = "mgk"

LONGEST_LIFE_DAYS: Final = 365
MOST_LIVING: Final = 100


class Status(StrEnum):
    """Both endings are final."""

    ACTIVE = "ACTIVE"
    EXPIRED = "EXPIRED"
    REVOKED = "REVOKED"


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
        if self.revoked_at is not None:
            return Status.REVOKED
        return Status.EXPIRED if now >= self.expires_at else Status.ACTIVE

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
            workspace_id=self.workspace_id,
            scopes=frozenset(self.scopes),
            request=request,
        )


@dataclass(frozen=True, slots=True)
class Checked:
    """Validated input: the scopes in the table's order, the networks in their stored form, both without duplicates."""

    name: str
    scopes: tuple[Scope, ...]
    allowed_ips: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ManagementKeyInput:
    """Input for a management key that was not validated yet; `expires_at` in microseconds.

    `is_relative`: the expiry was counted from now, so the same request means another instant each time it is sent.
    """

    name: str
    scopes: tuple[str, ...]
    expires_at: int
    allowed_ips: tuple[str, ...] = ()
    is_relative: bool = False

    def fingerprint(self, checked: Checked) -> list[Any]:
        """What must be equal for two requests to count as the same, as JSON data."""
        return [checked.name, [*checked.scopes], [*checked.allowed_ips], *([] if self.is_relative else [self.expires_at])]

    def checked(self, now: int) -> Checked:
        """The validated input. Raises ValidationFailed with every fault."""
        faults = [fault for fault in (name_fault(self.name), self._expiry_fault(now)) if fault]
        faults += [
            FieldProblem(
                "scopes",
                "UNKNOWN",
                f"There is no scope {mask_secrets(name)[:60]!r}; there are: {', '.join(Scope)}.",
                self.scopes.index(name),
            )
            for name in dict.fromkeys(self.scopes)
            if name not in set(Scope)
        ]
        if not self.scopes:
            faults.append(FieldProblem("scopes", "REQUIRED", "Choose at least one scope."))
        allowed_ips = networks.checked(self.allowed_ips, faults)
        if faults:
            raise ValidationFailed(*faults)
        return Checked(plain_name(self.name), tuple(scope for scope in Scope if scope in self.scopes), allowed_ips)

    def _expiry_fault(self, now: int) -> FieldProblem | None:
        if self.expires_at <= now:
            return FieldProblem("expiresAt", "IN_THE_PAST", "Choose a time that is still to come.")
        if self.expires_at > now + LONGEST_LIFE_DAYS * DAY:
            return FieldProblem("expiresAt", "TOO_LATE", f"A management key lives {LONGEST_LIFE_DAYS} days at most.")
        return None
