"""Why a request was refused, and what fixes it: the rule as it was then, and the key as it is now."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from app import clock
from app.keys.key import ApiKey, Reason
from app.request_log.request import LoggedRequest, Rule


class Remedy(StrEnum):
    """What fixes the cause of a refusal, if the caller is meant to have access."""

    NONE = "NONE"
    EDIT_KEY = "EDIT_KEY"
    RESUME_KEY = "RESUME_KEY"
    CREATE_KEY = "CREATE_KEY"
    USE_OTHER_KEY = "USE_OTHER_KEY"


@dataclass(frozen=True, slots=True)
class Explanation:
    """`cause`: what decided the request, with the rule as it was then. `fix`: what to do if the caller is meant to have access,
    or that the key has been changed since."""

    cause: str
    fix: str
    remedy: Remedy


def explain(request: LoggedRequest, key: ApiKey, now: int, zone: str) -> Explanation:
    """Times are in this time zone."""
    rule = request.rule
    match request.outcome:
        case "VALID":
            return Explanation("The key was good for this request.", "Nothing is to be done.", Remedy.NONE)
        case "REVOKED":
            return _revoked(rule, key, zone)
        case "EXPIRED":
            cause = f"The key expired{_since(rule, zone)}. An expired key is never accepted again."
            return Explanation(cause, "Create a new key, and give it to the program that still sends this one.", Remedy.CREATE_KEY)
        case "SUSPENDED":
            return _suspended(rule, key, now, zone)
        case "IP_NOT_ALLOWED":
            return _wrong_address(request, key)
        case "ENVIRONMENT_NOT_ALLOWED":
            return _wrong_environment(rule)
        case "PERMISSION_DENIED":
            return _missing_permission(request, key)
        case _:
            return Explanation(f"The verdict was {request.outcome}.", "See the documentation of this code.", Remedy.NONE)


def _revoked(rule: Rule, key: ApiKey, zone: str) -> Explanation:
    cause = f"The key was revoked{_since(rule, zone)}. A revoked key is never accepted again."
    if key.revocation is not None and key.revocation.reason is Reason.ROTATED:
        return Explanation(cause, "It was rotated: give the program that still sends it the key that replaced it.", Remedy.NONE)
    return Explanation(cause, "Create a new key, and give it to the program that still sends this one.", Remedy.CREATE_KEY)


def _suspended(rule: Rule, key: ApiKey, now: int, zone: str) -> Explanation:
    cause = f"The key, or its workspace, was suspended{_since(rule, zone)}."
    if key.suspended_at is None:
        return Explanation(cause, "The key itself is not suspended now.", Remedy.NONE)
    if key.is_over(now):
        return Explanation(cause, "The key has ended since. Create a new key.", Remedy.CREATE_KEY)
    return Explanation(cause, "Resume the key.", Remedy.RESUME_KEY)


def _wrong_address(request: LoggedRequest, key: ApiKey) -> Explanation:
    rule = request.rule
    allowed = f"The key was allowed only from {_listed(rule)}"
    if rule.without_address:
        cause = f"{allowed}, and the gateway sent no address of the caller that can be read."
        fix = "Have the gateway send `X-Forwarded-For`, or `ip`, and list its proxies in KEYDESK_TRUSTED_PROXIES."
        return Explanation(cause, fix, Remedy.NONE)
    cause = f"{allowed}. This request came from {request.network or 'another network'}."
    if key.allowed_ips == rule.allowed and not rule.more:
        return Explanation(cause, "If this network is yours, add it to the key's allowed addresses.", Remedy.EDIT_KEY)
    now_allowed = ", ".join(key.allowed_ips) or "everywhere"
    return Explanation(
        cause, f"The allowed addresses were changed since: now the key is allowed from {now_allowed}.", Remedy.EDIT_KEY
    )


def _wrong_environment(rule: Rule) -> Explanation:
    own, asked = rule.own or "another", rule.asked
    if asked not in (None, rule.own):
        cause = f"The key is one of the environment {own}, and the request was for {asked}."
        return Explanation(cause, f"Use a key of the environment {asked}.", Remedy.USE_OTHER_KEY)
    cause = f"The key is one of the environment {own}, and the gateway's token only takes keys of {rule.gateway or 'another one'}."
    return Explanation(
        cause,
        f"Use a key of {rule.gateway or 'that environment'}, or send requests of {own} to its own gateway.",
        Remedy.USE_OTHER_KEY,
    )


def _missing_permission(request: LoggedRequest, key: ApiKey) -> Explanation:
    wanted = request.permission or "a permission"
    cause = f"The request needed {wanted}. The key had {_listed(request.rule)}."
    if request.permission in key.permissions:
        return Explanation(cause, f"The key has {wanted} now.", Remedy.NONE)
    return Explanation(cause, f"If the program is meant to do this, add {wanted} to the key.", Remedy.EDIT_KEY)


def _since(rule: Rule, zone: str) -> str:
    return "" if rule.since is None else f" on {clock.in_zone(rule.since, zone):%a %-d %b %Y, %H:%M %Z}"


def _listed(rule: Rule) -> str:
    more = f" and {rule.more} more" if rule.more else ""
    return ", ".join(rule.allowed) + more if rule.allowed else "nothing"
