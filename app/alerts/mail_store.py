"""Rows of alert mail: what members have chosen, and the alerts that wait for a member's daily digest."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from typing import Any, Final

from app import database
from app.alerts.alert import Kind
from app.alerts.alert_mail import AlertMail, Delivery
from app.clock import DAY
from app.tenancy.workspace import Member

# What is due later was written while the clock was ahead, and is due now.
_LATEST: Final = 3 * DAY
_DUE: Final = "(due_at <= {} OR due_at > {})"


async def of_members(members: Collection[Member]) -> list[AlertMail]:
    """The choice of each member, in their order."""
    marks = ", ".join("{}" for _ in members)
    rows = await database.fetch(f"SELECT * FROM alert_mail WHERE member IN ({marks})", *(member.id for member in members))
    found = {row["member"]: row for row in rows}
    return [_mail(member, found.get(member.id)) for member in members]


async def put(member_id: str, mail: AlertMail) -> None:
    """Call inside a change."""
    choices = json.dumps({str(kind): str(delivery) for kind, delivery in mail.chosen.items()})
    await database.fetch(
        "INSERT INTO alert_mail (member, choices, digest_hour, digested_at) VALUES ({}, {}, {}, {}) ON CONFLICT (member)"
        " DO UPDATE SET choices = excluded.choices, digest_hour = excluded.digest_hour, digested_at = excluded.digested_at",
        *(member_id, choices, mail.hour, mail.digested_at),
    )


async def put_off(member_id: str, alert_ids: Iterable[str], due_at: int) -> None:
    """Adds alerts to a member's digest; call inside the change that raises them."""
    for alert_id in alert_ids:
        await database.fetch(
            "INSERT INTO alert_digest (member, alert, due_at) VALUES ({}, {}, {}) ON CONFLICT (member, alert) DO NOTHING",
            *(member_id, alert_id, due_at),
        )


async def move(member_id: str, due_at: int) -> None:
    """Sets when a member's digest is due; call inside a change."""
    await database.fetch("UPDATE alert_digest SET due_at = {} WHERE member = {}", due_at, member_id)


async def drop(member_id: str, kinds: Collection[Kind]) -> None:
    """Removes alerts of these kinds from a member's digest; call inside a change."""
    if kinds:
        marks = ", ".join("{}" for _ in kinds)
        await database.fetch(
            f"DELETE FROM alert_digest WHERE member = {{}} AND alert IN (SELECT id FROM alert WHERE kind IN ({marks}))",
            *(member_id, *map(str, kinds)),
        )


async def is_any_due(now: int) -> bool:
    rows = await database.fetch(f"SELECT 1 AS found FROM alert_digest WHERE {_DUE} LIMIT 1", now, now + _LATEST)
    return bool(rows)


async def due(now: int) -> list[str]:
    """The members whose digest is due."""
    rows = await database.fetch(f"SELECT DISTINCT member FROM alert_digest WHERE {_DUE} ORDER BY member", now, now + _LATEST)
    return [row["member"] for row in rows]


async def take(member_id: str, now: int) -> list[str]:
    """Removes what waits for a member's digest and returns it; nothing unless the digest is due. Call inside a change of the
    workspace, so that no other node takes the same."""
    rows = await database.fetch(
        "DELETE FROM alert_digest WHERE member = {} AND EXISTS (SELECT 1 FROM alert_digest d"
        " WHERE d.member = {} AND (d.due_at <= {} OR d.due_at > {})) RETURNING alert",
        *(member_id, member_id, now, now + _LATEST),
    )
    return [row["alert"] for row in rows]


def _mail(member: Member, row: dict[str, Any] | None) -> AlertMail:
    if row is None:
        return AlertMail(member.role)
    known = set(Kind)
    chosen = {Kind(kind): Delivery(delivery) for kind, delivery in json.loads(row["choices"]).items() if kind in known}
    return AlertMail(member.role, chosen, row["digest_hour"], row["digested_at"])
