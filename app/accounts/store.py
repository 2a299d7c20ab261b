"""Rows of sessions, links and throttled attempts, and the passwords of people, turned into frozen data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from app import database
from app.access.actor import Request, Role
from app.accounts.link import Link, Purpose
from app.accounts.session import ABSOLUTE, IDLE, Session, SessionInfo
from app.accounts.tables import LinkRow, SessionRow, ThrottleRow
from app.clock import TOLERATED
from app.tenancy.store import user_of
from app.tenancy.tables import UserRow
from app.tenancy.workspace import User

# A link that can be used, given now and now + TOLERATED.
_OPEN: Final = "used_at IS NULL AND expires_at > {} AND created_at <= {}"
_SESSION: Final = (
    "SELECT u.*, s.id AS session_id, s.created_at AS since, s.seen_at, s.authenticated_at,"
    " s.address, s.user_agent FROM session s JOIN account u ON u.id = s.account "
)
_LONGEST_ADDRESS: Final = 60
_LONGEST_USER_AGENT: Final = 400


@dataclass(frozen=True, slots=True)
class Credentials:
    """A person and the hash of their password."""

    user: User
    password_hash: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Living:
    """A session that lives, where it was begun, and the hash of its owner's password."""

    session: Session
    begun_from: Request
    password_hash: str = field(repr=False)


async def find_credentials(email_key: str) -> Credentials | None:
    rows = await database.fetch("SELECT * FROM account WHERE email_key = {}", email_key)
    return Credentials(user_of(rows[0]), rows[0]["password_hash"]) if rows else None


async def find_hash(user_id: str) -> str | None:
    rows = await database.fetch("SELECT password_hash FROM account WHERE id = {}", user_id)
    return rows[0]["password_hash"] if rows else None


async def set_hash(user_id: str, new: str) -> None:
    await UserRow.update({UserRow.password_hash: new}).where(UserRow.id == user_id).run()


async def rename(user_id: str, name: str) -> None:
    await UserRow.update({UserRow.name: name}).where(UserRow.id == user_id).run()


async def has_owner() -> bool:
    """Whether anybody owns any workspace of this installation."""
    return bool(await database.fetch("SELECT id FROM member WHERE role = {} LIMIT 1", str(Role.OWNER)))


async def add_session(session: Session, digest: bytes, begun_from: Request) -> None:
    row = SessionRow(
        id=session.id,
        digest=digest,
        account=session.user.id,
        created_at=session.created_at,
        seen_at=session.seen_at,
        authenticated_at=session.authenticated_at,
        address=begun_from.address[:_LONGEST_ADDRESS],
        user_agent=begun_from.user_agent[:_LONGEST_USER_AGENT],
    )
    await SessionRow.insert(row).run()


async def find_session(digest: bytes) -> Living | None:
    """Whether it still lives is for the caller to ask."""
    rows = await database.fetch(_SESSION + "WHERE s.digest = {}", digest)
    return _living(rows[0]) if rows else None


async def sessions_of(user_id: str, now: int) -> list[SessionInfo]:
    """A person's living sessions, the one seen last first."""
    rows = await database.fetch(
        _SESSION + "WHERE s.account = {} AND s.seen_at > {} AND s.created_at > {} AND s.created_at <= {} AND s.seen_at <= {}"
        " AND s.authenticated_at <= {} ORDER BY s.seen_at DESC, s.id",
        *(user_id, now - IDLE, now - ABSOLUTE, *[now + TOLERATED] * 3),
    )
    return [SessionInfo(row["session_id"], row["since"], row["seen_at"], row["address"], row["user_agent"]) for row in rows]


async def touch_session(session_id: str, now: int) -> None:
    await SessionRow.update({SessionRow.seen_at: now}).where(SessionRow.id == session_id).run()


async def renew_session(old: bytes, new: bytes, now: int) -> bool:
    """The old token's place is taken by the new one's; False when the old one was not there any more."""
    rows = await database.fetch(
        "UPDATE session SET digest = {}, seen_at = {}, authenticated_at = {} WHERE digest = {} RETURNING id", new, now, now, old
    )
    return bool(rows)


async def end_session(user_id: str, session_id: str) -> bool:
    """Whether there was one of this person."""
    return bool(await database.fetch("DELETE FROM session WHERE id = {} AND account = {} RETURNING id", session_id, user_id))


async def end_sessions(user_id: str, *, but: str = "") -> None:
    await SessionRow.delete().where((SessionRow.account == user_id) & (SessionRow.id != but)).run()


async def end_oldest_sessions(user_id: str, keep: int) -> None:
    """All but the `keep` that were seen last."""
    await database.fetch(
        "DELETE FROM session WHERE account = {} AND id NOT IN"
        " (SELECT id FROM session WHERE account = {} ORDER BY seen_at DESC, created_at DESC, id LIMIT {})",
        user_id,
        user_id,
        keep,
    )


async def add_link(link: Link, digest: bytes) -> None:
    row = LinkRow(
        id=link.id,
        purpose=str(link.purpose),
        digest=digest,
        account=link.account,
        workspace=link.workspace,
        email=link.email,
        role=str(link.role) if link.role else None,
        created_by=link.created_by,
        created_at=link.created_at,
        expires_at=link.expires_at,
    )
    await LinkRow.insert(row).run()


async def find_link(purpose: Purpose, digest: bytes, now: int) -> Link | None:
    """A link that is neither used nor too old, nor of a time when the clock was ahead."""
    rows = await database.fetch(
        f"SELECT * FROM link WHERE digest = {{}} AND purpose = {{}} AND {_OPEN}", digest, str(purpose), now, now + TOLERATED
    )
    return _link(rows[0]) if rows else None


async def use_link(purpose: Purpose, digest: bytes, now: int) -> Link | None:
    """Of all that use it at once, one gets it."""
    rows = await database.fetch(
        f"UPDATE link SET used_at = {{}} WHERE digest = {{}} AND purpose = {{}} AND {_OPEN} RETURNING *",
        *(now, digest, str(purpose), now, now + TOLERATED),
    )
    return _link(rows[0]) if rows else None


async def invitations(workspace_id: str, now: int) -> list[Link]:
    """The open ones of a workspace, the oldest first."""
    rows = await database.fetch(
        f"SELECT * FROM link WHERE workspace = {{}} AND purpose = {{}} AND {_OPEN} ORDER BY created_at, id",
        *(workspace_id, str(Purpose.INVITATION), now, now + TOLERATED),
    )
    return [_link(row) for row in rows]


async def invitation_by_id(link_id: str, now: int) -> Link | None:
    """An open invitation of any workspace. The caller of this function checks who may see it."""
    rows = await database.fetch(
        f"SELECT * FROM link WHERE id = {{}} AND purpose = {{}} AND {_OPEN}",
        *(link_id, str(Purpose.INVITATION), now, now + TOLERATED),
    )
    return _link(rows[0]) if rows else None


async def drop_link(link_id: str) -> None:
    await LinkRow.delete().where(LinkRow.id == link_id).run()


async def drop_links(purpose: Purpose, account: str | None = None) -> None:
    """All of a purpose, or those of one person."""
    condition = LinkRow.purpose == str(purpose)
    await LinkRow.delete().where(condition & (LinkRow.account == account) if account else condition).run()


async def forget(now: int) -> None:
    """Deletes sessions and links that have expired or were created while the clock was ahead."""
    ahead = now + TOLERATED
    await SessionRow.delete().where((SessionRow.seen_at <= now - IDLE) | (SessionRow.created_at <= now - ABSOLUTE)).run()
    await database.fetch("DELETE FROM session WHERE created_at > {} OR seen_at > {} OR authenticated_at > {}", ahead, ahead, ahead)
    await LinkRow.delete().where((LinkRow.expires_at <= now) | (LinkRow.created_at > ahead)).run()


async def find_attempts(buckets: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Of each bucket that was used: the start of its window, and how many attempts that window has."""
    marks = ", ".join(["{}"] * len(buckets))
    rows = await database.fetch(f"SELECT * FROM throttle WHERE bucket IN ({marks})", *buckets)
    return {row["bucket"]: (row["window_start"], row["attempts"]) for row in rows}


async def add_attempt(bucket: str, now: int, over: int, void: int) -> tuple[int, int]:
    """Counts one more, in a window that starts now if the one there started at `over` or before, or after `void`; answers it as
    above."""
    rows = await database.fetch(
        "INSERT INTO throttle (bucket, window_start, attempts) VALUES ({}, {}, 1) ON CONFLICT (bucket) DO UPDATE SET"
        " attempts = CASE WHEN throttle.window_start <= {} OR throttle.window_start > {} THEN 1 ELSE throttle.attempts + 1 END,"
        " window_start = CASE WHEN throttle.window_start <= {} OR throttle.window_start > {}"
        " THEN excluded.window_start ELSE throttle.window_start END"
        " RETURNING window_start, attempts",
        bucket,
        *(now, over, void, over, void),
    )
    return rows[0]["window_start"], rows[0]["attempts"]


async def give_back_attempt(bucket: str) -> None:
    await database.fetch("UPDATE throttle SET attempts = attempts - 1 WHERE bucket = {} AND attempts > 0", bucket)


async def remember_place(bucket: str, now: int) -> None:
    """A row beside the windows: `window_start` is when there was last success."""
    row = ThrottleRow(bucket=bucket, window_start=now, attempts=0)
    values = [ThrottleRow.window_start]
    await ThrottleRow.insert(row).on_conflict(target=ThrottleRow.bucket, action="DO UPDATE", values=values).run()


async def is_known(bucket: str, since: int, until: int) -> bool:
    statement = "SELECT 1 AS known FROM throttle WHERE bucket = {} AND window_start > {} AND window_start <= {}"
    return bool(await database.fetch(statement, bucket, since, until))


async def forget_attempts(known: str, windows_before: int, known_before: int, after: int) -> None:
    """`known`: how the names of remembered places begin. What lies `after` goes in both."""
    await database.fetch("DELETE FROM throttle WHERE bucket NOT LIKE {} AND window_start <= {}", f"{known}%", windows_before)
    await database.fetch("DELETE FROM throttle WHERE bucket LIKE {} AND window_start <= {}", f"{known}%", known_before)
    await database.fetch("DELETE FROM throttle WHERE window_start > {}", after)


def _living(row: dict[str, Any]) -> Living:
    session = Session(row["session_id"], user_of(row), row["since"], row["seen_at"], row["authenticated_at"])
    return Living(session, Request(row["address"], row["user_agent"]), row["password_hash"])


def _link(row: dict[str, Any]) -> Link:
    return Link(
        id=row["id"],
        purpose=Purpose(row["purpose"]),
        created_at=row["created_at"],
        account=row["account"],
        workspace=row["workspace"],
        email=row["email"],
        role=Role(row["role"]) if row["role"] else None,
        created_by=row["created_by"],
    )
