"""Labels, as a noun."""

from __future__ import annotations

from typing import Final

from app.labels import service
from app.labels.events import EVENTS
from app.labels.label import LABEL_ID
from app.labels.tables import LabelRow
from app.noun import Job, Noun

NOUN: Final = Noun(
    "labels",
    tables=(LabelRow,),
    events=EVENTS,
    jobs=(Job("labels.freshen", 60, service.freshen),),
    purges=(service.purge,),
    id_prefixes=(LABEL_ID,),
)
