"""Sessions, as a noun."""

from __future__ import annotations

from typing import Final

from app.noun import Noun
from app.sessions import service
from app.sessions.events import EVENTS
from app.sessions.session import SESSION_ID
from app.sessions.tables import SessionRow

NOUN: Final = Noun(
    "sessions",
    tables=(SessionRow,),
    unsaved=(SessionRow,),
    events=EVENTS,
    purges=(service.purge_expired,),
    id_prefixes=(SESSION_ID,),
)
