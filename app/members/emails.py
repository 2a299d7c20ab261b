"""The e-mails about a membership."""

from __future__ import annotations

from app.mail import EmailContent


def now_owner(workspace: str, link: str) -> EmailContent:
    return EmailContent(
        f"You own {workspace}",
        f"You are now an owner of the workspace {workspace} on Keydesk.\n\n"
        f"Open it:\n{link}\n\n"
        "If you do not know what this is about, please contact the operator of this service.\n",
    )


def no_longer_owner(workspace: str, by: str, owner: str, link: str) -> EmailContent:
    return EmailContent(
        f"You no longer own {workspace}",
        f"{by} made {owner} the only owner of the workspace {workspace} on Keydesk. You are now an editor of it.\n\n"
        f"Open it:\n{link}\n\n"
        "If you did not expect this, please contact the operator of this service.\n",
    )


def invitation(workspace: str, inviter: str, link: str) -> EmailContent:
    return EmailContent(
        f"Join {workspace}",
        f"{inviter} invites you to the workspace {workspace} on Keydesk.\n\n"
        f"Accept within 7 days:\n{link}\n\n"
        "If you do not know what this is about, you can ignore this message.\n",
    )
