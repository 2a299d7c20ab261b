"""Descriptions of the parts of the schema that are about alerts, by coordinate."""

from __future__ import annotations

from typing import Final

DESCRIPTIONS: Final = {
    "AlertKind.ROTATE_BY": "The schedule of the key's environment wants it replaced.",
    "AlertKind.EXPIRY": "The key expires, or has expired.",
    "AlertKind.DEADLINE": "A rotation is past its deadline, and both keys still work.",
    "AlertKind.LEAKED": "A code host found its secret, and it was revoked; open for a week.",
    "AlertKind.UNEXPECTED_NETWORK": "It was used from a network that it was not used from before.",
    "AlertKind.FAILURE_SPIKE": "Its requests fail more often than its past explains.",
    "AlertKind.OUTSIDE_BUSINESS_HOURS": "It was used at a time when it is not used otherwise.",
    "AlertKind.UNUSED_PERMISSION": "A request wanted a permission that it never used, or does not hold.",
    "AlertKind.USE_AFTER_REVOCATION": "Somebody presents it although it was revoked.",
    "AlertKind.USE_AFTER_EXPIRY": "Somebody presents it although it has expired.",
    "AlertKind.DORMANT_KEY": "It is used again after 30 days without any use.",
    "AlertState.OPEN": "It requires action.",
    "AlertState.RESOLVED": "It requires none any more.",
    "AlertResolution.EXPECTED": "What was found is usual from now on.",
    "AlertResolution.HANDLED": "Somebody has dealt with it.",
    "AlertResolution.OVER": "Nothing is left to do.",
    "Alert.kind": "The rule that raised it.",
    "Alert.state": "Whether it requires action.",
    "Alert.apiKey": "The key that it is about.",
    "Alert.raisedAt": "When it was raised.",
    "Alert.lastSeenAt": "When the incident was last seen.",
    "Alert.resolvedAt": "When it was resolved; null: it is open, or its date was moved a moment ago.",
    "Alert.resolution": "How it was resolved; null as for `resolvedAt`.",
    "ExpectedUse.kind": "The rule that was taught.",
    "ResolveAlertPayload.alert": "The alert as it is now.",
    "SetExpectedUseInput.apiKey": "The id of a key.",
    "Workspace.alerts": "Its alerts, the newest first.",
    "Workspace.alerts(filter)": "Only alerts that meet it; left out: all.",
}
