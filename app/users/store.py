"""Rows of users, turned into frozen data. Only this store writes them."""

from __future__ import annotations

from typing import Any

from app import database
from app.users.tables import UserRow
from app.users.user import Credentials, User


def user_of(row: dict[str, Any]) -> User:
    """A user from the columns of the table, alone or joined with others."""
    return User(row["id"], row["email"], row["name"], row["created_at"])


async def find(user_id: str) -> User | None:
    row = await UserRow.select().where(UserRow.id == user_id).first().run()
    return user_of(row) if row else None


async def find_by_email(email_key: str) -> User | None:
    row = await UserRow.select().where(UserRow.email_key == email_key).first().run()
    return user_of(row) if row else None


async def find_credentials(email_key: str) -> Credentials | None:
    rows = await database.fetch("SELECT * FROM account WHERE email_key = {}", email_key)
    return Credentials(user_of(rows[0]), rows[0]["password_hash"]) if rows else None


async def find_password_hash(user_id: str) -> str | None:
    rows = await database.fetch("SELECT password_hash FROM account WHERE id = {}", user_id)
    return rows[0]["password_hash"] if rows else None


async def find_last_workspace(user_id: str) -> str | None:
    """The id of the workspace that the user visited last."""
    rows = await database.fetch("SELECT last_workspace FROM account WHERE id = {}", user_id)
    return rows[0]["last_workspace"] if rows else None


async def add(user: User, email_key: str, password_hash: str) -> None:
    row = UserRow(
        id=user.id, email=user.email, email_key=email_key, name=user.name, password_hash=password_hash, created_at=user.created_at
    )
    await UserRow.insert(row).run()


async def rename(user_id: str, name: str) -> None:
    await UserRow.update({UserRow.name: name}).where(UserRow.id == user_id).run()


async def set_email(user_id: str, email: str, email_key: str) -> None:
    await UserRow.update({UserRow.email: email, UserRow.email_key: email_key}).where(UserRow.id == user_id).run()


async def set_password_hash(user_id: str, password_hash: str) -> None:
    await UserRow.update({UserRow.password_hash: password_hash}).where(UserRow.id == user_id).run()


async def set_last_workspace(user_id: str, workspace_id: str) -> None:
    await UserRow.update({UserRow.last_workspace: workspace_id}).where(UserRow.id == user_id).run()
