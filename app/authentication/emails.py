"""Emails to users about their passwords and addresses."""

from __future__ import annotations

from app.mail import EmailContent


def password_reset(link: str) -> EmailContent:
    return EmailContent(
        "Choose a new password",
        "Someone, probably you, requested a new password for your Keydesk account.\n\n"
        f"Choose it here, within one hour:\n{link}\n\n"
        "If it was not you, you can ignore this message: your password stays as it is.\n",
    )


def password_changed() -> EmailContent:
    return EmailContent(
        "Your password was changed",
        "The password of your Keydesk account has just been changed, and all your other sessions have ended.\n\n"
        "If it was not you, request a new password on the sign-in page at once and inform the owners of your workspaces.\n",
    )


def confirm_email(link: str) -> EmailContent:
    return EmailContent(
        "Confirm your new address",
        "Someone, probably you, wants to use this address for their Keydesk account.\n\n"
        f"Confirm it here, within one hour:\n{link}\n\n"
        "If it was not you, you can ignore this message: nothing changes.\n",
    )


def email_changed(new: str) -> EmailContent:
    return EmailContent(
        "Your e-mail address was changed",
        f"Your Keydesk account now has another e-mail address: {new}. Sign in with it from now on.\n\n"
        "If it was not you, change your password at once if you still can, and inform the owners of your workspaces.\n",
    )
