"""Alerts, as a noun."""

from __future__ import annotations

from typing import Final

from app.alerts import evaluation, mailing, service
from app.alerts.alert import ALERT_ID
from app.alerts.events import EVENTS
from app.alerts.tables import (
    AlertDigestRow,
    AlertExpectationRow,
    AlertMailRow,
    AlertRow,
    AutomaticSuspensionRow,
    KeyBaselineRow,
    NoticeRow,
)
from app.noun import Export, Job, Noun

NOUN: Final = Noun(
    "alerts",
    tables=(AlertRow, NoticeRow, KeyBaselineRow, AlertExpectationRow, AutomaticSuspensionRow, AlertMailRow, AlertDigestRow),
    # A restored backup must not mail again what was mailed before.
    unsaved=(KeyBaselineRow, AlertDigestRow),
    events=EVENTS,
    jobs=(
        Job("notices", 60, service.run),
        Job("alerts.use", 2, evaluation.run, evaluation.is_wanted),
        Job("alerts.digests", 30, mailing.run, mailing.is_wanted),
    ),
    id_prefixes=(ALERT_ID,),
    exports=(
        Export(
            "alert",
            "alert",
            "workspace",
            "id workspace key kind days about at last_seen_at requests evidence baseline resolved_at resolution resolved_by_kind"
            " resolved_by_id resolved_by_name suspended_at suspension_withheld",
        ),
        Export("alertExpectation", "alert_expectation", "workspace", "workspace key kind value at"),
        Export("automaticSuspension", "automatic_suspension", "workspace", "workspace kinds most_a_day"),
        Export("alertMail", "alert_mail", "member", "member choices digest_hour"),
    ),
)
