"""DEADLINE: a rotation has passed its deadline, and both keys still work."""

from __future__ import annotations

from typing import Final

from app.alerts.alert import Kind
from app.alerts.rules.rule import FINISH, Rule

RULE: Final = Rule(
    Kind.DEADLINE,
    "Rotation past its deadline",
    "Its rotation is past the deadline; both keys still work and count toward the plan.",
    (FINISH,),
)
