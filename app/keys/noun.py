"""API keys, as a noun."""

from __future__ import annotations

from typing import Final

from app.keys import service
from app.keys.events import EVENTS
from app.keys.key import API_KEY_ID
from app.keys.tables import ApiKeyRow, IdempotencyRow, ImportedKeyRow, KeyLastUsedRow
from app.noun import Export, Noun

NOUN: Final = Noun(
    "keys",
    tables=(ApiKeyRow, ImportedKeyRow, IdempotencyRow, KeyLastUsedRow),
    events=EVENTS,
    purges=(service.forget_old_repeats,),
    id_prefixes=(API_KEY_ID,),
    exports=(
        Export(
            "apiKey",
            "api_key",
            "workspace",
            "id workspace name description labels owner prefix environment permissions allowed_ips"
            " created_at created_by_kind created_by_id created_by_name"
            " expires_at suspended_at revoked_at revoked_by_kind revoked_by_id revoked_by_name revocation_reason revocation_note"
            " line_started_at",
            digests="digest pepper_version leak_digest",
        ),
        Export("importedKey", "imported_key", "key", "key source external_id imported_at", digests="algorithm"),
        Export("apiKeyUse", "key_last_used", "key", "key last_used_at last_used_ip"),
    ),
)
