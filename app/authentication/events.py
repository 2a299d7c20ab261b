"""Audit events of accounts."""

from __future__ import annotations

from typing import Final

from app.noun import Event

CREATED: Final = Event("account.created", "Created the account of {email}")
PASSWORD_CHANGED: Final = Event("account.password_changed", "Changed the password")
RESET_LINK_MADE: Final = Event("account.password_reset_link_made", "Made a link to reset the password")
RENAMED: Final = Event("account.renamed", "Changed the name from {before} to {after}")

EMAIL_CHANGED: Final = Event("account.email_changed", "Changed the e-mail address from {before} to {after}")

EVENTS: Final = (
    CREATED,
    PASSWORD_CHANGED,
    RESET_LINK_MADE,
    RENAMED,
    EMAIL_CHANGED,
)
