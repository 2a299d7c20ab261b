"""USE_AFTER_REVOCATION: a key is still presented a minute after it was revoked: a forgotten program, or a thief."""

from __future__ import annotations

from typing import Final

from app.alerts.alert import Kind
from app.alerts.rules.after_end import use_after
from app.alerts.rules.rule import Rule
from app.alerts.situation import Finding, Situation
from app.clock import rfc3339


def evaluate(situation: Situation) -> Finding | None:
    revoked_at = situation.key.revoked_at
    evidence = {"revokedAt": rfc3339(revoked_at)} if revoked_at is not None else {}
    return use_after(situation, Kind.USE_AFTER_REVOCATION, "REVOKED", revoked_at, evidence)


RULE: Final = Rule(
    Kind.USE_AFTER_REVOCATION,
    "Use after revocation",
    "It was revoked, and is still presented. Every request is refused.",
    (),
    evaluate,
    "Attempts from these networks are then expected.",
)
