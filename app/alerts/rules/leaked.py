"""LEAKED: the key's secret was reported, by a code host or by anyone who holds it, and the key was revoked."""

from __future__ import annotations

from typing import Final

from app.access.policy import Action
from app.alerts.alert import Kind
from app.alerts.rules.rule import Remedy, Rule

RULE: Final = Rule(
    Kind.LEAKED,
    "Leaked key revoked",
    "Its secret was reported as leaked, and it was revoked.",
    (Remedy("See what to do", "leak", Action.READ_KEYS),),
)
