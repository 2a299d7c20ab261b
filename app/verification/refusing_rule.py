"""The rule that refused a request, as it was then, for the log of the key's requests."""

from __future__ import annotations

from app.request_log.request import Rule, encoded
from app.verification.verdict import AccessRequest, Code, Gateway, KeyRecord


def refusing_rule(code: Code, key: KeyRecord, asked: AccessRequest, gateway: Gateway | None) -> str | None:
    """JSON; None if there is nothing to say."""
    match code:
        case Code.REVOKED:
            rule = Rule(since=key.revoked_at)
        case Code.EXPIRED:
            rule = Rule(since=key.expires_at)
        case Code.SUSPENDED:
            rule = Rule(since=key.suspended_at)
        case Code.IP_NOT_ALLOWED:
            rule = Rule.that_allowed(key.allowed_ips, without_address=asked.address is None)
        case Code.ENVIRONMENT_NOT_ALLOWED:
            rule = Rule(asked=asked.environment, own=key.environment, gateway=gateway.environment if gateway else None)
        case Code.PERMISSION_DENIED:
            rule = Rule.that_allowed(key.permissions)
        case _:
            return None
    return encoded(rule)
