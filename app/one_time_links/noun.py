"""One-time links, as a noun."""

from __future__ import annotations

from typing import Final

from app.noun import Noun
from app.one_time_links import service
from app.one_time_links.tables import LinkRow

NOUN: Final = Noun(
    "one_time_links",
    tables=(LinkRow,),
    unsaved=(LinkRow,),
    purges=(service.purge_expired,),
)
