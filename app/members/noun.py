"""Members and invitations, as a noun."""

from __future__ import annotations

from typing import Final

from app.members.events import EVENTS
from app.members.invitation import INVITATION_ID
from app.noun import Noun

NOUN: Final = Noun("members", events=EVENTS, id_prefixes=(INVITATION_ID,))
