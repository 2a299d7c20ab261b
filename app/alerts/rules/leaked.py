"""LEAKED: a code host found the key's secret, and the key was revoked."""

from __future__ import annotations

from typing import Final

from app.access.policy import Action
from app.alerts.alert import Kind
from app.alerts.rules.rule import Remedy, Rule

RULE: Final = Rule(
    Kind.LEAKED,
    "Leaked key revoked",
    "A code host found its secret, and it was revoked.",
    (Remedy("See what to do", "leak", Action.READ_KEYS),),
)
