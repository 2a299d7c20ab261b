"""The enums of codes in the contract, and what each code means."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import strawberry

from app.checklist.item import TITLES
from app.verification.verdict import MESSAGES, Code

strawberry.enum(Code, name="VerificationCode")


@strawberry.enum
class UsageOutcome(StrEnum):
    """The codes of verifications that name a key, and the outcomes that services report for requests they served."""

    REVOKED = "REVOKED"
    EXPIRED = "EXPIRED"
    SUSPENDED = "SUSPENDED"
    IP_NOT_ALLOWED = "IP_NOT_ALLOWED"
    ENVIRONMENT_NOT_ALLOWED = "ENVIRONMENT_NOT_ALLOWED"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    VALID = "VALID"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


@strawberry.enum
class FieldFault(StrEnum):
    """As `errors.Fault`."""

    INVALID = "INVALID"
    IN_THE_PAST = "IN_THE_PAST"
    OUT_OF_RANGE = "OUT_OF_RANGE"
    REQUIRED = "REQUIRED"
    TOO_EARLY = "TOO_EARLY"
    TOO_LATE = "TOO_LATE"
    TOO_LONG = "TOO_LONG"
    TOO_MANY = "TOO_MANY"
    UNKNOWN = "UNKNOWN"


DESCRIPTIONS: Final = {
    "VerificationCode": "The verdict on a request with a key, in the order in which the reasons are checked.",
    **{f"VerificationCode.{code.name}": message for code, message in MESSAGES.items()},
    "UsageOutcome": "The outcome of a request with a key: its verdict, or what the service reported after serving it.",
    **{f"UsageOutcome.{code.name}": message for code, message in MESSAGES.items() if code.name in UsageOutcome.__members__},
    "UsageOutcome.SUCCEEDED": "It was served, and the service reported a status below 400.",
    "UsageOutcome.FAILED": "It was served, and the service reported another status.",
    **{f"ChecklistItemName.{name.name}": f"{title}." for name, title in TITLES.items()},
    "ChecklistRemedy.CREATE_KEY": "Create a key for the environment that has none of its own.",
    "ChecklistRemedy.TRIM_PERMISSIONS": "Remove the key's unused permissions.",
    "ChecklistRemedy.REVOKE": "Revoke the key: nothing uses it.",
    "ChecklistRemedy.ROTATE": "Rotate the key.",
    "ChecklistRemedy.REMOVE_EXPIRY": "Remove the key's expiry, and rotate it on schedule instead.",
    "ChecklistRemedy.SET_EXPIRY": "Set an expiry that the environment allows.",
    "ChecklistRemedy.FINISH_ROTATION": "Complete or cancel the rotation whose deadline has passed.",
    "ChecklistRemedy.REVIEW_USAGE": "Open the alerts or the page of a key in the dashboard.",
    "ChecklistRemedy.ATTEST": "Confirm it with `attestChecklistItem`.",
    "FieldFault": "What is wrong with an input.",
    "FieldFault.INVALID": "It is not of the form that it must have.",
    "FieldFault.IN_THE_PAST": "It is a time that is over.",
    "FieldFault.OUT_OF_RANGE": "It is smaller or larger than it may be.",
    "FieldFault.REQUIRED": "It is missing, empty, or null.",
    "FieldFault.TOO_EARLY": "It is a time before the first that may be.",
    "FieldFault.TOO_LATE": "It is a time after the last that may be.",
    "FieldFault.TOO_LONG": "It has more characters than it may have.",
    "FieldFault.TOO_MANY": "It has more entries than it may have.",
    "FieldFault.UNKNOWN": "There is no such thing.",
    "RequestRemedy.NONE": "Nothing about the key.",
    "RequestRemedy.EDIT_KEY": "Change the key's permissions or allowed addresses: `updateApiKey`.",
    "RequestRemedy.RESUME_KEY": "Resume the key: `resumeApiKey`.",
    "RequestRemedy.CREATE_KEY": "Create a new key: `createApiKey`.",
    "RequestRemedy.USE_OTHER_KEY": "Use a key of another environment.",
    "WebhookKind.STANDARD": "By the Standard Webhooks specification: JSON, with a signature.",
    "WebhookKind.SLACK": "As a text, in the format of Slack's incoming webhooks.",
    "WebhookKind.TEAMS": "As a card, in the format of Teams' incoming webhooks.",
    "WebhookDisabledReason.BY_OWNER": "An owner disabled it.",
    "WebhookDisabledReason.FAILING": "Nothing arrived for five days.",
    "WebhookDisabledReason.GONE": "Its receiver answered 410 Gone.",
    "WebhookDeliveryState.PENDING": "It is waiting for its next attempt.",
    "WebhookDeliveryState.DELIVERED": "It was answered with a status from 200 to 299.",
    "WebhookDeliveryState.FAILED": "It was given up.",
}
