"""Folders, as a noun."""

from __future__ import annotations

from typing import Final

from app.folders import service
from app.folders.events import EVENTS
from app.folders.folder import FOLDER_ID
from app.folders.tables import FolderRow
from app.noun import Job, Noun

NOUN: Final = Noun(
    "folders",
    tables=(FolderRow,),
    events=EVENTS,
    jobs=(Job("folders.freshen", 60, service.freshen),),
    purges=(service.purge,),
    id_prefixes=(FOLDER_ID,),
)
