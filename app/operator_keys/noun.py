"""Operator keys, as a noun."""

from __future__ import annotations

from typing import Final

from app.noun import Export, Noun
from app.operator_keys.events import EVENTS
from app.operator_keys.operator_key import OPERATOR_KEY_ID
from app.operator_keys.tables import OperatorKeyRow

NOUN: Final = Noun(
    "operator_keys",
    tables=(OperatorKeyRow,),
    events=EVENTS,
    id_prefixes=(OPERATOR_KEY_ID,),
    exports=(
        Export(
            "operatorKey",
            "operator_key",
            "installation",
            "id name prefix scopes allowed_ips created_at expires_at revoked_at last_used_at",
            digests="digest pepper_version",
        ),
    ),
)
