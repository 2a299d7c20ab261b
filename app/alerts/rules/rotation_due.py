"""ROTATE_BY: the schedule of the key's environment wants it replaced."""

from __future__ import annotations

from typing import Final

from app.alerts.alert import Kind
from app.alerts.rules.rule import REVOKE, ROTATE, Rule

RULE: Final = Rule(Kind.ROTATE_BY, "Rotation due", "It should be replaced by a new key.", (ROTATE, REVOKE))
