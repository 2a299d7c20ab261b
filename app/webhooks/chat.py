"""A message as a text for a channel: in the form of Slack's and of Teams' incoming webhooks."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from app.webhooks.webhook import Kind

_MARKDOWN: Final = re.compile(r"([\\`*_{}\[\]()#+\-!|<>~])")


def body_for(kind: Kind, body: str, origin: str) -> bytes:
    """What is sent: the message itself to a standard receiver, to a chat its text with a link to the workspace."""
    if kind is Kind.STANDARD:
        return body.encode()
    data: dict[str, Any] = json.loads(body)["data"]
    workspace = data["workspace"]
    said = f"{data['summary']} ({data['actor']['name']})"
    url = f"{origin}/w/{workspace['slug']}"
    form = _slack if kind is Kind.SLACK else _teams
    return json.dumps(form(workspace["name"], said, url), ensure_ascii=False).encode("utf-8", "replace")


def _slack(workspace: str, said: str, url: str) -> dict[str, Any]:
    # The three characters that begin a link or a mention there; without them `<!channel>` in a name is only text.
    workspace, said = (text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") for text in (workspace, said))
    blocks = [{"type": "section", "text": {"type": "plain_text", "text": f"{workspace}: {said}"[:2_900], "emoji": False}}]
    context = {"type": "context", "elements": [{"type": "mrkdwn", "text": f"<{url}|Open in Keydesk>"}]}
    return {"text": f"{workspace}: {said}", "blocks": [*blocks, context]}


def _teams(workspace: str, said: str, url: str) -> dict[str, Any]:
    def block(text: str, **more: Any) -> dict[str, Any]:
        # A text block reads Markdown: in a name it is only text.
        return {"type": "TextBlock", "text": _MARKDOWN.sub(r"\\\1", text), "wrap": True, **more}

    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [block(workspace, weight="Bolder"), block(said)],
        "actions": [{"type": "Action.OpenUrl", "title": "Open in Keydesk", "url": url}],
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}
