"""The email to owners about a webhook that was disabled."""

from __future__ import annotations

from app.mail import EmailContent
from app.tenancy.workspace import Workspace
from app.webhooks.webhook import Disabled, Webhook

_WHY = {
    Disabled.FAILING: "Nothing has arrived there for five days",
    Disabled.GONE: "Its receiver answered 410 Gone, which means that it accepts no more messages",
}


def disabled(workspace: Workspace, webhook: Webhook, because: Disabled, link: str) -> EmailContent:
    """`link`: of the webhook's page, where it can be enabled again."""
    return EmailContent(
        f"{workspace.name}: the webhook {webhook.name} was disabled",
        f"{_WHY[because]}, so nothing is sent to the webhook {webhook.name} of {workspace.name} any more.\n\n"
        f"Its page shows what failed, and lets you enable it again:\n{link}\n\n"
        "Messages that could not be delivered are listed there for 30 days and can be sent again.\n",
    )
