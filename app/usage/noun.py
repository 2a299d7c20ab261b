"""Usage and callers of keys, as a noun."""

from __future__ import annotations

from typing import Final

from app.noun import Export, Job, Noun
from app.usage import caller_service, folding, recent_store, reports
from app.usage.caller import CALLER_ID
from app.usage.tables import (
    CallerRow,
    KeyRefusalRow,
    KeyWatchRow,
    UsageBatchRow,
    UsageClosedRow,
    UsageHourRow,
    UsageLogRow,
    WorkspaceDayRow,
)

NOUN: Final = Noun(
    "usage",
    # Emptied from the end: what says which days are closed before the hours, whose triggers ask for it.
    tables=(UsageHourRow, UsageBatchRow, CallerRow, UsageLogRow, WorkspaceDayRow, UsageClosedRow, KeyRefusalRow, KeyWatchRow),
    unsaved=(WorkspaceDayRow, UsageClosedRow, KeyRefusalRow, KeyWatchRow),
    jobs=(
        Job("callers.fold", 60, caller_service.fold_old),
        Job("usage.fold_hours", 3_600, folding.fold_hours, folding.any_hours),
        Job("usage.close_days", 600, folding.close_days, folding.any_days),
    ),
    purges=(reports.forget_old, caller_service.bring_back, recent_store.forget_old),
    id_prefixes=(CALLER_ID,),
    exports=(
        Export("usageDay", "usage_day", "key", "key day permission outcome requests"),
        Export("caller", "caller", "key", "key network user_agent permission id first_seen_at last_seen_at requests"),
    ),
)
