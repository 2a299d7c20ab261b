"""What the two rules about keys that have ended share."""

from __future__ import annotations

from typing import Any, Final

from app.alerts.alert import Kind
from app.alerts.situation import Finding, Situation, named
from app.clock import MINUTE

# Requests that were on their way when the key ended.
GRACE: Final = MINUTE


def use_after(situation: Situation, kind: Kind, outcome: str, ended_at: int | None, evidence: dict[str, Any]) -> Finding | None:
    """Refusals of a key that had ended before."""
    if ended_at is None or not situation.refusals:
        return None
    late = [
        refusal
        for refusal in situation.refusals
        if refusal.outcome == outcome and refusal.last_at > ended_at + GRACE and not situation.expects(kind, refusal.network)
    ]
    if not late:
        return None
    parts = dict[str, int]()
    for refusal in late:
        parts[str(refusal.slot)] = parts.get(str(refusal.slot), 0) + refusal.requests
    networks = {refusal.network for refusal in late}
    return Finding(
        kind,
        max(ended_at, min(refusal.first_at for refusal in late)),
        max(refusal.last_at for refusal in late),
        parts,
        tuple(sorted(networks)),
        usual=0,
        now=sum(parts.values()),
        unit="requests in an hour",
        evidence={
            "networks": named(networks),
            "networkCount": len(networks),
            "permissions": sorted({refusal.permission for refusal in late if refusal.permission}),
        },
        baseline={**evidence, "networks": named({*situation.baseline.networks})},
    )
