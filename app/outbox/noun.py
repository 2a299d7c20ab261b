"""The outbox, as a noun."""

from __future__ import annotations

from typing import Final

from app.noun import Job, Noun
from app.outbox import mails, service
from app.outbox.item import MESSAGE_ID
from app.outbox.tables import OutboxRow

NOUN: Final = Noun(
    "outbox",
    tables=(OutboxRow,),
    # A restored backup must not send again what was sent before.
    unsaved=(OutboxRow,),
    jobs=(Job("mails", 0, mails.run, mails.is_wanted),),
    purges=(service.purge_done,),
    id_prefixes=(MESSAGE_ID,),
)
