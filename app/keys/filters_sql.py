"""Key filters as SQL over `api_key k` and `key_last_used u`: text with `{}`, and its arguments in order."""

from __future__ import annotations

from typing import Any, Final

from app.catalogue import Catalogue
from app.clock import DAY
from app.database.sql import living
from app.keys.filters import LAST_INSTANT, InstantRange, KeyFilter, Order, name_key
from app.keys.key import DUE_SOON_DAYS, RotationDue, Status
from app.paging import Position

Sql = tuple[str, list[Any]]
_SORT: Final = {
    Order.CREATED_AT: "k.created_at",
    Order.NAME: "k.name_key",
    Order.LAST_USED_AT: "COALESCE(u.last_used_at, 0)",
    Order.EXPIRES_AT: f"COALESCE(k.expires_at, {LAST_INSTANT})",
}
# Each status as SQL over the row and one instant, the same rules as `ApiKey.status`.
_STATUS: Final = {
    Status.REVOKED: ("k.revoked_at IS NOT NULL", 0),
    Status.EXPIRED: ("k.revoked_at IS NULL AND k.expires_at <= {}", 1),
    Status.SUSPENDED: (f"{living('k')} AND k.suspended_at IS NOT NULL", 1),
    Status.ACTIVE: (f"{living('k')} AND k.suspended_at IS NULL", 1),
}


def sort_value(order: Order, known: Catalogue, now: int) -> Sql:
    """The sort expression, never null; agrees with `position_of`."""
    return _rotate_by(known, now) if order is Order.ROTATE_BY else (_SORT[order], [])


def where(workspace_id: str, filter: KeyFilter, known: Catalogue, now: int) -> Sql:
    """The condition for the keys of a workspace that match a filter."""
    parts: list[str] = ["k.workspace = {}"]
    arguments: list[Any] = [workspace_id]
    if filter.search:
        ids = (filter.search, *filter.found)
        parts.append(
            f"(k.name_key LIKE {{}} ESCAPE '!' OR substr(k.prefix, 1, {{}}) = {{}} OR k.id IN ({', '.join('{}' for _ in ids)}))"
        )
        arguments += [f"%{literal(name_key(filter.search))}%", len(filter.search), filter.search, *ids]
    if filter.statuses:
        parts.append("(" + " OR ".join(f"({_STATUS[status][0]})" for status in filter.statuses) + ")")
        arguments += [now for status in filter.statuses for _ in range(_STATUS[status][1])]
    if filter.environment is not None:
        parts.append("k.environment = {}")
        arguments.append(filter.environment)
    if filter.environments:
        parts.append(f"k.environment IN ({', '.join('{}' for _ in filter.environments)})")
        arguments += filter.environments
    for column, wanted in (("k.name", filter.name), ("k.created_by_id", filter.created_by), ("k.owner", filter.owner)):
        if wanted is not None:
            parts.append(f"{column} = {{}}")
            arguments.append(wanted)
    if filter.never_used is not None:
        parts.append(f"u.last_used_at IS {'' if filter.never_used else 'NOT '}NULL")
    for column, span in _spans(filter):
        for sign, bound in ((">", span.after), ("<", span.before)):
            if bound is not None:
                parts.append(f"{column} {sign} {{}}")
                arguments.append(bound)
    if filter.permission is not None:
        parts.append("(' ' || k.permissions || ' ') LIKE {} ESCAPE '!'")
        arguments.append(f"% {literal(filter.permission)} %")
    for name, value in filter.labels:
        # Not LIKE, which ignores case on SQLite.
        parts.append("replace(' ' || k.labels || ' ', {}, '') <> ' ' || k.labels || ' '")
        arguments.append(f" {name}=" if value is None else f" {name}={value} ")
    if filter.rotation:
        spans = [_due(due, known, now) for due in filter.rotation]
        parts.append("(" + " OR ".join(text for text, _ in spans) + ")")
        arguments += [argument for _, given in spans for argument in given]
    return " AND ".join(parts), arguments


def beyond(sort: Sql, position: Position, *, ahead: bool) -> Sql:
    """The condition for keys after a position in ascending order, or before it."""
    (value, given), sign = sort, ">" if ahead else "<"
    sorted_by, key_id = position
    text = f"({value} {sign} {{}} OR ({value} = {{}} AND k.id {sign} {{}}))"
    return text, [*given, sorted_by, *given, sorted_by, key_id]


def _spans(filter: KeyFilter) -> tuple[tuple[str, InstantRange], ...]:
    return (("k.created_at", filter.created_at), ("u.last_used_at", filter.last_used_at), ("k.expires_at", filter.expires_at))


def _rotate_by(known: Catalogue, now: int) -> Sql:
    """When a key is due for rotation by its schedule; the end of time without a schedule or for a key that has ended."""
    offered = known.environments.values()
    schedule = {item.name: item.rotate_every_days * DAY for item in offered if item.rotate_every_days is not None}
    cases = " ".join(f"WHEN {{}} THEN {length}" for length in schedule.values())
    length = f"CASE k.environment {cases} END" if schedule else "CAST(NULL AS BIGINT)"
    over = "k.revoked_at IS NOT NULL OR k.expires_at <= {}"
    text = f"CASE WHEN {over} THEN {LAST_INSTANT} ELSE COALESCE(k.created_at + {length}, {LAST_INSTANT}) END"
    return text, [now, *schedule]


def _due(due: RotationDue, known: Catalogue, now: int) -> Sql:
    """The same rules as `ApiKey.rotation_due`, in SQL."""
    soon = now + DUE_SOON_DAYS * DAY
    after, until = {
        RotationDue.OVERDUE: (0, now),
        RotationDue.DUE_SOON: (now, soon),
        RotationDue.NOT_DUE: (soon, LAST_INSTANT),
    }[due]
    value, given = _rotate_by(known, now)
    return f"({value} > {{}} AND {value} <= {{}})", [*given, after, *given, until]


def literal(text: str) -> str:
    """Escapes the text for LIKE with ESCAPE '!', so that none of its characters is a wildcard."""
    return "".join(f"!{character}" if character in "%_!" else character for character in text)
