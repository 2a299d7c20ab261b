"""When an alert about a date of a key is due, as SQL over `api_key k`: text with `{}`, and its arguments in order.

For each kind: the instant that an alert would be about, or null if there is none.
"""

from __future__ import annotations

from typing import Any, Final

from app.alerts.alert import DATED, LEAKED_LATELY, STAGES_DAYS, Kind
from app.catalogue import Catalogue
from app.clock import DAY
from app.database.sql import living
from app.keys.filters import LAST_INSTANT, Order
from app.keys.filters_sql import sort_value

Sql = tuple[str, list[Any]]
# The open rotation in which the key is the predecessor; the callers of this select only living keys.
_RUN: Final = (
    f"FROM rotation r JOIN api_key s ON s.id = r.successor WHERE r.predecessor = k.id AND r.ended_at IS NULL AND {living('s')}"
)
# A cheap condition that excludes most keys from the search.
PREFILTERS: Final = {
    Kind.ROTATE_BY: "k.revoked_at IS NULL",
    Kind.EXPIRY: "k.revoked_at IS NULL AND k.expires_at IS NOT NULL",
    # By a code host, or by a holder of the secret, unless they have ended a key of their own that they no longer need.
    Kind.LEAKED: "k.revoked_by_kind = 'SYSTEM' AND (k.revoked_by_id = 'github'"
    " OR (k.revoked_by_id = 'holder' AND k.revocation_reason <> 'NO_LONGER_NEEDED'))",
    Kind.DEADLINE: "k.id IN (SELECT predecessor FROM rotation WHERE ended_at IS NULL)",
}


def about(kind: Kind, known: Catalogue, now: int, *, expired_after: int) -> Sql:
    """`expired_after`: no alert is raised about an earlier expiry."""
    match kind:
        case Kind.ROTATE_BY:
            rotate_by, given = sort_value(Order.ROTATE_BY, known, now)
            return f"CASE WHEN NOT EXISTS (SELECT 1 {_RUN}) THEN NULLIF({rotate_by}, {LAST_INSTANT}) END", [now, *given]
        case Kind.EXPIRY:
            return "CASE WHEN k.revoked_at IS NULL AND k.expires_at > {} THEN k.expires_at END", [expired_after]
        case Kind.LEAKED:
            leaked = f"{PREFILTERS[Kind.LEAKED]} AND k.revoked_at > {{}}"
            return f"CASE WHEN {leaked} THEN k.revoked_at END", [now - LEAKED_LATELY]
        case Kind.DEADLINE:
            kept = f"SELECT r.deadline {_RUN} AND r.on_deadline = 'KEEP_AND_ALERT' AND r.deadline <= {{}}"
            return f"CASE WHEN {living('k')} THEN ({kept}) END", [now, now, now]
    raise ValueError(f"{kind} is not about a date")


def is_open(known: Catalogue, now: int) -> Sql:
    """Whether an `alert n` about the key still requires action: about a date, as long as that is the key's; about use,
    until a member resolves it."""
    parts, arguments = [], []
    for kind in DATED:
        text, given = about(kind, known, now, expired_after=now)
        parts.append(f"WHEN '{kind}' THEN {text}")
        arguments += given
    dated = ", ".join(f"'{kind}'" for kind in DATED)
    about_now = f"CASE n.kind {' '.join(parts)} END"
    return f"n.resolved_at IS NULL AND (n.kind NOT IN ({dated}) OR n.about = {about_now})", arguments


def stage(column: str, now: int) -> Sql:
    """The most urgent stage reached: the one with the fewest days."""
    rising = sorted(STAGES_DAYS)
    reached = " ".join(f"WHEN {column} <= {{}} THEN {days}" for days in rising[:-1])
    return f"CASE {reached} ELSE {rising[-1]} END", [now + days * DAY for days in rising[:-1]]
