"""API keys, as a noun."""

from __future__ import annotations

from typing import Final

from app.keys import service
from app.keys.events import EVENTS
from app.keys.key import API_KEY_ID
from app.keys.tables import ApiKeyRow, IdempotencyRow, KeyLastUsedRow
from app.noun import Noun

NOUN: Final = Noun(
    "keys",
    tables=(ApiKeyRow, IdempotencyRow, KeyLastUsedRow),
    events=EVENTS,
    purges=(service.forget_old_repeats,),
    id_prefixes=(API_KEY_ID,),
)
