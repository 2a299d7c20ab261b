"""The mails that people get about their accounts: subject and text."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Letter:
    subject: str
    text: str


def password_reset(link: str) -> Letter:
    return Letter(
        "Choose a new password",
        "Somebody, probably you, asked for a new password for your Keydesk account.\n\n"
        f"Choose it here, within one hour:\n{link}\n\n"
        "If it was not you, there is nothing to do: your password stays as it is.\n",
    )


def password_changed() -> Letter:
    return Letter(
        "Your password was changed",
        "The password of your Keydesk account has just been changed, and all your other sessions have ended.\n\n"
        "If it was not you, ask for a new password on the sign-in page at once and tell the owners of your workspaces.\n",
    )


def invitation(workspace: str, inviter: str, link: str) -> Letter:
    return Letter(
        f"Join {workspace}",
        f"{inviter} invites you to the workspace {workspace} on Keydesk.\n\n"
        f"Accept within 7 days:\n{link}\n\n"
        "If you do not know what this is about, there is nothing to do.\n",
    )
