"""The enums of codes in the contract, and what each code means."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import strawberry

from app.verification.verify import MESSAGES, Code

strawberry.enum(Code, name="VerificationCode")


@strawberry.enum
class UsageOutcome(StrEnum):
    """Codes of verifications that can be counted to a key, and what services report of the requests they served."""

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


WORDS: Final = {
    "VerificationCode": "The verdict on a request with a key, in the order in which the reasons are checked.",
    **{f"VerificationCode.{code.name}": message for code, message in MESSAGES.items()},
    "UsageOutcome": "The outcome of a request with a key: its verdict, or what the service reported after serving it.",
    **{f"UsageOutcome.{code.name}": message for code, message in MESSAGES.items() if code.name in UsageOutcome.__members__},
    "UsageOutcome.SUCCEEDED": "It was served, and the service reported a status below 400.",
    "UsageOutcome.FAILED": "It was served, and the service reported another status.",
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
}
