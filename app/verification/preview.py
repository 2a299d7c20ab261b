"""Previews the verdict for a request with a key, for its owner: the same as at the gateway, without counting."""

from __future__ import annotations

from dataclasses import dataclass, field

from app import catalogue, database
from app.access.actor import Actor
from app.access.policy import Action
from app.errors import FieldProblem, ValidationFailed
from app.keys import queries as keys
from app.keys.key import ApiKey
from app.keys.networks import parse_address
from app.keys.secret import mask_secrets
from app.tenancy import service as tenancy
from app.tenancy.workspace import Workspace
from app.verification.verdict import AccessRequest, Code, Gateway, KeyRecord, evaluate, strictest

# An actor who may preview has access to all environments of the workspace.
_NO_GATEWAY = "preview"


@dataclass(frozen=True, slots=True)
class PreviewRequest:
    """A hypothetical request that was not validated yet."""

    secret: str = field(repr=False)
    permission: str | None = None
    environment: str | None = None
    address: str | None = None

    def checked(self) -> AccessRequest:
        """Raises ValidationFailed for names that are not in the catalogue and for an invalid address."""
        faults: list[FieldProblem] = []
        if self.permission is not None and self.permission not in catalogue.current().permissions:
            faults.append(FieldProblem("permission", "UNKNOWN", f"There is no permission {mask_secrets(self.permission)[:60]!r}."))
        if self.environment is not None and self.environment not in catalogue.current().environments:
            faults.append(
                FieldProblem("environment", "UNKNOWN", f"There is no environment {mask_secrets(self.environment)[:60]!r}.")
            )
        try:
            address = parse_address(self.address) if self.address is not None else None
        except ValueError:
            faults.append(FieldProblem("ip", "INVALID", "This is not an IPv4 or IPv6 address."))
        if faults:
            raise ValidationFailed(*faults)
        return AccessRequest(self.permission, self.environment, address)


@dataclass(frozen=True, slots=True)
class Answer:
    """`key` is None if the code does not reveal one; `missing_permission` goes with PERMISSION_DENIED."""

    code: Code
    key: ApiKey | None = None
    missing_permission: str | None = None


async def ask(actor: Actor, slug: str | None, question: PreviewRequest) -> Answer:
    """The verdict at this moment. A key of another workspace is NOT_FOUND, like one that does not exist."""
    access = await tenancy.reading(actor, slug, Action.VERIFY_API_KEY)
    asked = question.checked()
    if not await keys.is_well_formed(question.secret):
        return Answer(Code.MALFORMED)
    held = {key.id: key for key in await keys.opened_by(question.secret)}
    if not held or any(key.workspace_id != access.workspace.id for key in held.values()):
        return Answer(Code.NOT_FOUND)
    now = await database.now()
    verdict = strictest([evaluate(asked, _held(key, access.workspace), Gateway(_NO_GATEWAY), now) for key in held.values()])
    shown = held[verdict.key.id] if verdict.key else None
    return Answer(verdict.code, shown, asked.permission if verdict.code is Code.PERMISSION_DENIED else None)


def _held(key: ApiKey, workspace: Workspace) -> KeyRecord:
    return KeyRecord(
        id=key.id,
        workspace_id=key.workspace_id,
        workspace=workspace.slug,
        name=key.name,
        environment=key.environment,
        permissions=key.permissions,
        allowed_ips=key.allowed_ips,
        expires_at=key.expires_at,
        suspended_at=key.suspended_at if workspace.suspended_at is None else workspace.suspended_at,
        revoked_at=key.revocation.at if key.revocation else None,
        pepper_version=0,
    )
