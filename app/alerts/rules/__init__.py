"""All rules that raise alerts, one file for each; `RULES` is in the order in which people should look at their alerts."""

from __future__ import annotations

from typing import Final

from app.alerts.alert import Alert, Kind
from app.alerts.rules import (
    dormant_key,
    expiry,
    failure_spike,
    leaked,
    outside_business_hours,
    rotation_deadline,
    rotation_due,
    unexpected_network,
    unused_permission,
    use_after_expiry,
    use_after_revocation,
)
from app.alerts.rules.rule import RESUME, SUSPEND, Remedy, Rule
from app.alerts.situation import ALWAYS, Finding, Situation

RULES: Final[dict[Kind, Rule]] = {
    rule.kind: rule
    for rule in (
        leaked.RULE,
        use_after_revocation.RULE,
        unexpected_network.RULE,
        failure_spike.RULE,
        unused_permission.RULE,
        outside_business_hours.RULE,
        dormant_key.RULE,
        use_after_expiry.RULE,
        rotation_deadline.RULE,
        expiry.RULE,
        rotation_due.RULE,
    )
}
# The rules that look at use, in the order of their evaluation.
OF_USE: Final = tuple(rule for rule in RULES.values() if rule.evaluate is not None)


def remedies(alert: Alert) -> list[Remedy]:
    """What can be done about an alert: of a key that is suspended, first to resume it."""
    found = RULES[alert.kind].remedies
    if alert.key.suspended_at is None or SUSPEND not in found:
        return [*found]
    return [RESUME, *(remedy for remedy in found if remedy is not SUSPEND)]


def evaluate(situation: Situation) -> list[Finding]:
    """Everything unusual about a key now. Pure: the server and the benchmark call it."""
    found = []
    for rule in OF_USE:
        muted = ALWAYS in situation.expected.get(rule.kind, ())
        if rule.evaluate and not muted and (finding := rule.evaluate(situation)):
            found.append(finding)
    return found
