"""What a request with a key would be told, for its owner: the same verdict as at the gateway, counting nothing."""

from __future__ import annotations

from dataclasses import dataclass, field

from app import catalogue, database
from app.access.actor import Actor
from app.access.policy import Action
from app.errors import FieldProblem, ValidationFailed
from app.keys import store as keys
from app.keys.key import ApiKey
from app.keys.secret import class_of, cut
from app.peppers import service as peppers
from app.tenancy import service as tenancy
from app.tenancy.workspace import Workspace
from app.verification.verify import Asked, Code, Gateway, HeldKey, judge, parse_address

# Whoever may ask about a workspace's keys asks for all of its environments.
_NO_GATEWAY = "preview"


@dataclass(frozen=True, slots=True)
class Question:
    """A request that somebody imagines, not yet checked."""

    secret: str = field(repr=False)
    permission: str | None = None
    environment: str | None = None
    address: str | None = None

    def checked(self) -> Asked:
        """Raises ValidationFailed for names that are not in the catalogue and for what is no address."""
        faults: list[FieldProblem] = []
        if self.permission is not None and self.permission not in catalogue.current().permissions:
            faults.append(FieldProblem("permission", "UNKNOWN", f"There is no permission {cut(self.permission)[:60]!r}."))
        if self.environment is not None and self.environment not in catalogue.current().environments:
            faults.append(FieldProblem("environment", "UNKNOWN", f"There is no environment {cut(self.environment)[:60]!r}."))
        try:
            address = parse_address(self.address) if self.address is not None else None
        except ValueError:
            faults.append(FieldProblem("ip", "INVALID", "This is not an IPv4 or IPv6 address."))
        if faults:
            raise ValidationFailed(*faults)
        return Asked(self.permission, self.environment, address)


@dataclass(frozen=True, slots=True)
class Answer:
    """`key` is None where the code says so little that there is none; `missing_permission` goes with PERMISSION_DENIED."""

    code: Code
    key: ApiKey | None = None
    missing_permission: str | None = None


async def ask(actor: Actor, slug: str | None, question: Question) -> Answer:
    """The verdict now. A key of another workspace is NOT_FOUND, like one that does not exist."""
    access = await tenancy.reading(actor, slug, Action.VERIFY_API_KEY)
    asked = question.checked()
    if class_of(question.secret, catalogue.current().prefixes) is None:
        return Answer(Code.MALFORMED)
    key = await keys.find_by_digests(peppers.current().digests(question.secret))
    if key is None or key.workspace_id != access.workspace.id:
        return Answer(Code.NOT_FOUND)
    verdict = judge(asked, _held(key, access.workspace), Gateway(_NO_GATEWAY), await database.now())
    return Answer(verdict.code, key, asked.permission if verdict.code is Code.PERMISSION_DENIED else None)


def _held(key: ApiKey, workspace: Workspace) -> HeldKey:
    return HeldKey(
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
