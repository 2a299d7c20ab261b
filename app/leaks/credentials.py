"""Credentials of every kind by their secret, in any workspace: for the operator and for the system, after a leak."""

from __future__ import annotations

from app.access.actor import Actor
from app.gateway_tokens import service as gateway_tokens
from app.gateway_tokens.gateway_token import GatewayToken
from app.keys import service as keys
from app.keys.key import ApiKey, Reason
from app.management_keys import service as management_keys
from app.management_keys.management_key import ManagementKey
from app.operator_keys import service as operator_keys
from app.operator_keys.operator_key import OperatorKey

Credential = ApiKey | ManagementKey | OperatorKey | GatewayToken


async def opened_by(actor: Actor, secret: str) -> list[Credential]:
    """Everything this secret opens: several API keys, if it was imported by hashes of several algorithms. It always takes the same
    look-ups, so their time does not say what was found."""
    looks = (management_keys.find_by_secret, operator_keys.find_by_secret, gateway_tokens.find_by_secret)
    found: list[Credential | None] = [*await keys.find_by_secret(actor, secret)]
    found += [await look(actor, secret) for look in looks]
    return [each for each in found if each is not None]


def is_revoked(found: Credential) -> bool:
    """Whether it is revoked already."""
    return (found.revocation if isinstance(found, ApiKey) else found.revoked_at) is not None


async def revoke(actor: Actor, found: Credential, reason: Reason, note: str | None) -> Credential:
    """Revokes it permanently. Reason and note are kept for API keys."""
    match found:
        case ApiKey():
            return await keys.revoke(actor, found.id, reason, note)
        case ManagementKey():
            return await management_keys.revoke(actor, found.id)
        case OperatorKey():
            return await operator_keys.revoke(actor, found.id)
        case GatewayToken():
            return await gateway_tokens.revoke(actor, found.id)
