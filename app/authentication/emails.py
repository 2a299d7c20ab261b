"""Emails to users about their passwords."""

from __future__ import annotations

from app.mail import EmailContent


def password_reset(link: str) -> EmailContent:
    return EmailContent(
        "Choose a new password",
        "Someone, probably you, requested a new password for your Keydesk account.\n\n"
        f"Choose it here, within one hour:\n{link}\n\n"
        "If it was not you, there is nothing to do: your password stays as it is.\n",
    )


def password_changed() -> EmailContent:
    return EmailContent(
        "Your password was changed",
        "The password of your Keydesk account has just been changed, and all your other sessions have ended.\n\n"
        "If it was not you, ask for a new password on the sign-in page at once and tell the owners of your workspaces.\n",
    )
