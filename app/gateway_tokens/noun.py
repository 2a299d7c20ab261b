"""Gateway tokens, as a noun."""

from __future__ import annotations

from typing import Final

from app.gateway_tokens.events import EVENTS
from app.gateway_tokens.gateway_token import GATEWAY_TOKEN_ID
from app.gateway_tokens.tables import GatewayTokenRow
from app.noun import Export, Noun

NOUN: Final = Noun(
    "gateway_tokens",
    tables=(GatewayTokenRow,),
    events=EVENTS,
    id_prefixes=(GATEWAY_TOKEN_ID,),
    exports=(
        Export(
            "gatewayToken",
            "gateway_token",
            "workspace",
            "id name prefix workspace environment created_at revoked_at",
            digests="digest pepper_version",
        ),
    ),
)
