"""Events of alerts. An alert is its own record: raising one is published and not audited. What people do about it is both."""

from __future__ import annotations

from typing import Final

from app.noun import Event

RAISED: Final = Event("alert.raised", "Raised the alert {kind} about the API key {name}", published="An alert was raised.")
RESOLVED: Final = Event(
    "alert.resolved", "Resolved the alert {kind} about the API key {name}", published="An alert requires no action anymore."
)
TAUGHT: Final = Event("alert.taught", "Turned the rule {kind} off for the API key {name}")
FORGOTTEN: Final = Event("alert.forgotten", "Turned the rule {kind} on for the API key {name}")
AUTOMATIC_SUSPENSION_CHANGED: Final = Event("alert.automatic_suspension_changed", "Changed the {changed} of automatic suspension")
MAIL_CHOSEN: Final = Event("alert.mail_chosen", "Changed which alerts {name} gets by e-mail: {changed}")

EVENTS: Final = (
    RAISED,
    RESOLVED,
    TAUGHT,
    FORGOTTEN,
    AUTOMATIC_SUSPENSION_CHANGED,
    MAIL_CHOSEN,
)
