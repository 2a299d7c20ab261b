"""USE_AFTER_EXPIRY: a program still presents a key a minute after it expired; it no longer works and wants a new one."""

from __future__ import annotations

from typing import Final

from app.alerts.alert import Kind
from app.alerts.rules.after_end import use_after
from app.alerts.rules.rule import REVOKE, Rule
from app.alerts.situation import Finding, Situation
from app.clock import rfc3339


def evaluate(situation: Situation) -> Finding | None:
    expires_at = situation.key.expires_at
    evidence = {"expiredAt": rfc3339(expires_at)} if expires_at is not None else {}
    return use_after(situation, Kind.USE_AFTER_EXPIRY, "EXPIRED", expires_at, evidence)


RULE: Final = Rule(
    Kind.USE_AFTER_EXPIRY,
    "Use after expiry",
    "It has expired, and is still presented. Every request is refused.",
    (REVOKE,),
    evaluate,
    "Attempts from these networks are then expected.",
)
