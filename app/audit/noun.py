"""The audit log, as a noun."""

from __future__ import annotations

from typing import Final

from app.audit import checkpoints
from app.audit.entry import AUDIT_ENTRY_ID
from app.audit.tables import AuditEntryRow
from app.noun import Export, Job, Noun

NOUN: Final = Noun(
    "audit",
    tables=(AuditEntryRow,),
    # Once a day for each file: nodes may have their own.
    jobs=(Job("audit.checkpoint", 60, checkpoints.write, wanted=checkpoints.is_due),),
    id_prefixes=(AUDIT_ENTRY_ID,),
    exports=(
        Export(
            "auditEntry",
            "audit_entry",
            "chain",
            "chain position id at actor_kind actor_id actor_name action target detail address user_agent request_id mac",
        ),
    ),
)
