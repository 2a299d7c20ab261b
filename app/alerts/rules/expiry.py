"""EXPIRY: the key expires, and from then on all its requests are refused."""

from __future__ import annotations

from typing import Final

from app.alerts.alert import Kind
from app.alerts.rules.rule import EXTEND, REVOKE, Rule

RULE: Final = Rule(Kind.EXPIRY, "Expiry", "It expires; from then on all its requests are refused.", (EXTEND, REVOKE))
