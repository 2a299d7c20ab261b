"""What there is to tell of a key, as SQL over `api_key k`: text with `{}`, and its arguments in order.

For each kind the instant that a notice would be about, or null where there is nothing to say.
"""

from __future__ import annotations

from typing import Any, Final

from app.clock import DAY
from app.keys.conditions import sort_value
from app.keys.listing import LAST_INSTANT, Order
from app.notices.notice import STAGES_DAYS, Kind

Sql = tuple[str, list[Any]]
_LIVING: Final = "{0}.revoked_at IS NULL AND ({0}.expires_at IS NULL OR {0}.expires_at > {{}})"
# The open run of which the key is the predecessor; the key itself lives wherever this is asked.
_RUN: Final = (
    "FROM rotation r JOIN api_key s ON s.id = r.successor"
    f" WHERE r.predecessor = k.id AND r.ended_at IS NULL AND {_LIVING.format('s')}"
)
# What spares the search for something to tell most of the keys.
WORTH_A_LOOK: Final = {
    Kind.ROTATE_BY: "k.revoked_at IS NULL",
    Kind.EXPIRY: "k.revoked_at IS NULL AND k.expires_at IS NOT NULL",
    Kind.DEADLINE: "k.id IN (SELECT predecessor FROM rotation WHERE ended_at IS NULL)",
}


def about(kind: Kind, now: int, *, expired_after: int) -> Sql:
    """`expired_after`: an expiry before it is nothing to tell any more."""
    match kind:
        case Kind.ROTATE_BY:
            rotate_by, given = sort_value(Order.ROTATE_BY, now)
            return f"CASE WHEN NOT EXISTS (SELECT 1 {_RUN}) THEN NULLIF({rotate_by}, {LAST_INSTANT}) END", [now, *given]
        case Kind.EXPIRY:
            return "CASE WHEN k.revoked_at IS NULL AND k.expires_at > {} THEN k.expires_at END", [expired_after]
        case Kind.DEADLINE:
            kept = f"SELECT r.deadline {_RUN} AND r.on_deadline = 'KEEP_AND_ALERT' AND r.deadline <= {{}}"
            return f"CASE WHEN {_LIVING.format('k')} THEN ({kept}) END", [now, now, now]


def is_open(now: int) -> Sql:
    """Whether a `notice n` about the key still asks for something."""
    parts, arguments = [], []
    for kind in Kind:
        text, given = about(kind, now, expired_after=now)
        parts.append(f"WHEN '{kind}' THEN {text}")
        arguments += given
    return f"n.resolved_at IS NULL AND n.about = CASE n.kind {' '.join(parts)} END", arguments


def stage(column: str, now: int) -> Sql:
    """The most urgent of the stages that are reached: the one with the fewest days."""
    rising = sorted(STAGES_DAYS)
    reached = " ".join(f"WHEN {column} <= {{}} THEN {days}" for days in rising[:-1])
    return f"CASE {reached} ELSE {rising[-1]} END", [now + days * DAY for days in rising[:-1]]
