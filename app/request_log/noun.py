"""The request log, as a noun."""

from __future__ import annotations

from typing import Final

from app.noun import Export, Job, Noun
from app.request_log import retention
from app.request_log.request import REQUEST_ID
from app.request_log.tables import LoggedRequestRow

NOUN: Final = Noun(
    "request_log",
    tables=(LoggedRequestRow,),
    jobs=(Job("requests.tidy", 60, retention.tidy, retention.is_wanted),),
    id_prefixes=(REQUEST_ID,),
    exports=(Export("request", "logged_request", "key", "id key at accepted outcome permission network user_agent rule"),),
)
