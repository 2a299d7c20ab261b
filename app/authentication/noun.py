"""Accounts, as a noun."""

from __future__ import annotations

from typing import Final

from app.authentication import password_reset
from app.authentication.events import EVENTS
from app.noun import Job, Noun

NOUN: Final = Noun(
    "authentication",
    events=EVENTS,
    jobs=(Job("reset_links", 0, password_reset.mail_links, password_reset.is_wanted),),
)
