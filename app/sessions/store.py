"""Rows of sessions, turned into frozen data."""

from __future__ import annotations

from typing import Any, Final

from app import database
from app.access.actor import Request
from app.clock import TOLERATED
from app.sessions.session import ABSOLUTE_TIMEOUT, IDLE_TIMEOUT, Session, SessionInfo, SessionRecord
from app.sessions.tables import SessionRow
from app.users.store import user_of

_COLUMNS: Final = (
    "u.*, s.id AS session_id, s.created_at AS since, s.seen_at, s.authenticated_at, s.address, s.user_agent"
    " FROM session s JOIN account u ON u.id = s.account"
)
_LONGEST_ADDRESS: Final = 60
_LONGEST_USER_AGENT: Final = 400


async def add(session: Session, digest: bytes, begun_by: Request) -> None:
    row = SessionRow(
        id=session.id,
        digest=digest,
        account=session.user.id,
        created_at=session.created_at,
        seen_at=session.seen_at,
        authenticated_at=session.authenticated_at,
        address=begun_by.address[:_LONGEST_ADDRESS],
        user_agent=begun_by.user_agent[:_LONGEST_USER_AGENT],
    )
    await SessionRow.insert(row).run()


async def find(digest: bytes) -> SessionRecord | None:
    """The session, which may have expired."""
    clock, instants = database.clock()
    rows = await database.fetch(f"SELECT {clock} AS now, {_COLUMNS} WHERE s.digest = {{}}", *instants, digest)
    return _record(rows[0]) if rows else None


async def active_of(user_id: str, now: int) -> list[SessionInfo]:
    """A user's active sessions, most recently seen first."""
    rows = await database.fetch(
        f"SELECT {_COLUMNS}"
        + " WHERE s.account = {} AND s.seen_at > {} AND s.created_at > {} AND s.created_at <= {} AND s.seen_at <= {}"
        " AND s.authenticated_at <= {} ORDER BY s.seen_at DESC, s.id",
        *(user_id, now - IDLE_TIMEOUT, now - ABSOLUTE_TIMEOUT, *[now + TOLERATED] * 3),
    )
    return [SessionInfo(row["session_id"], row["since"], row["seen_at"], row["address"], row["user_agent"]) for row in rows]


async def touch(session_id: str, now: int) -> None:
    await SessionRow.update({SessionRow.seen_at: now}).where(SessionRow.id == session_id).run()


async def renew(old: bytes, new: bytes, now: int) -> bool:
    """Replaces the digest of the token; False if there is no session with the old one."""
    rows = await database.fetch(
        "UPDATE session SET digest = {}, seen_at = {}, authenticated_at = {} WHERE digest = {} RETURNING id", new, now, now, old
    )
    return bool(rows)


async def end(user_id: str, session_id: str) -> bool:
    """Deletes a session; returns whether the user had it."""
    return bool(await database.fetch("DELETE FROM session WHERE id = {} AND account = {} RETURNING id", session_id, user_id))


async def end_all(user_id: str, *, but: str = "") -> None:
    await SessionRow.delete().where((SessionRow.account == user_id) & (SessionRow.id != but)).run()


async def end_oldest(user_id: str, keep: int) -> None:
    """Deletes all but the `keep` most recently seen sessions."""
    await database.fetch(
        "DELETE FROM session WHERE account = {} AND id NOT IN"
        " (SELECT id FROM session WHERE account = {} ORDER BY seen_at DESC, created_at DESC, id LIMIT {})",
        user_id,
        user_id,
        keep,
    )


async def purge(now: int) -> None:
    """Deletes sessions that have expired or have an instant written while the clock was ahead."""
    idle, old = SessionRow.seen_at <= now - IDLE_TIMEOUT, SessionRow.created_at <= now - ABSOLUTE_TIMEOUT
    await SessionRow.delete().where(idle | old).run()
    ahead = [now + TOLERATED] * 3
    await database.fetch("DELETE FROM session WHERE created_at > {} OR seen_at > {} OR authenticated_at > {}", *ahead)


def _record(row: dict[str, Any]) -> SessionRecord:
    session = Session(row["session_id"], user_of(row), row["since"], row["seen_at"], row["authenticated_at"])
    return SessionRecord(session, Request(row["address"], row["user_agent"]), int(row["now"]), row["password_hash"])


async def addresses_in(workspace_id: str) -> set[str]:
    """From where the members of a workspace are signed in."""
    rows = await database.fetch(
        "SELECT DISTINCT s.address FROM session s JOIN member m ON m.account = s.account WHERE m.workspace = {}", workspace_id
    )
    return {row["address"] for row in rows if row["address"]}
