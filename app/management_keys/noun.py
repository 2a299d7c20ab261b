"""Management keys, as a noun."""

from __future__ import annotations

from typing import Final

from app.management_keys.events import EVENTS
from app.management_keys.management_key import MANAGEMENT_KEY_ID
from app.management_keys.tables import ManagementKeyRow
from app.noun import Export, Noun

NOUN: Final = Noun(
    "management_keys",
    tables=(ManagementKeyRow,),
    events=EVENTS,
    id_prefixes=(MANAGEMENT_KEY_ID,),
    exports=(
        Export(
            "managementKey",
            "management_key",
            "workspace",
            "id workspace name prefix scopes allowed_ips maker created_at expires_at revoked_at last_used_at",
            digests="digest pepper_version",
        ),
    ),
)
