"""What happens when a code host, or anyone who holds a secret, reports it: what it opens is revoked."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from app import catalogue
from app.access.actor import Actor, ActorKind, Request
from app.errors import NotAllowed
from app.keys.key import Reason
from app.keys.secret import class_of, mask_secrets
from app.leaks import credentials

# The alert about a leaked key knows it by this id (alerts/conditions.py).
HOLDER_ID: Final = "holder"
GITHUB: Final = Actor(ActorKind.SYSTEM, "github", "GitHub secret scanning")
_LONGEST_URL: Final = 500
_log = logging.getLogger("keydesk.leaks")


@dataclass(frozen=True, slots=True)
class Match:
    """A text that looked like a secret, and the address where it is."""

    secret: str = field(repr=False)
    url: str


def holder(request: Request) -> Actor:
    """Anyone who presents a whole secret: its owner's program, or the person who found it."""
    return Actor(ActorKind.SYSTEM, HOLDER_ID, "Holder of the key", request=request)


async def end(actor: Actor, secret: str, reason: Reason, note: str | None, configured: tuple[str, ...]) -> None:
    """Revokes what this secret opens: afterwards it opens nothing here. Raises NotAllowed for a gateway token of the settings.

    An unknown secret and one that was revoked before return alike, after the same look-ups. `note` may contain secrets.
    """
    if secret in configured:
        _log_configured()
        raise NotAllowed("This token is part of the server's settings. Its operator has to replace it; the server's log says so.")
    for found in await credentials.opened_by(actor, secret):
        if not credentials.is_revoked(found):
            ended = await credentials.revoke(actor, found, reason, mask_secrets(note) if note else None)
            address = actor.request.address or "an unknown address"
            _log.warning("%s is revoked: it was presented to be revoked, from %s", ended.id, address)


async def report(matches: Sequence[Match], configured: tuple[str, ...]) -> set[str]:
    """Revokes everything that these secrets open, and returns those that are or were valid here.

    Only a whole secret counts, with a valid checksum and the digest of a credential. Repeated reports change nothing.
    `configured`: gateway tokens of the settings, which only the operator can withdraw.
    """
    first = {match.secret: match for match in reversed(matches)}
    return {secret for secret, match in first.items() if await _is_ended(match, configured)}


async def _is_ended(match: Match, configured: tuple[str, ...]) -> bool:
    if match.secret in configured:
        _log_configured()
        return True
    if class_of(match.secret, catalogue.current().prefixes) is None:
        return False
    found = await credentials.opened_by(GITHUB, match.secret)
    for each in found:
        ended = await credentials.revoke(GITHUB, each, Reason.COMMITTED_TO_REPOSITORY, _note(match.url))
        _log.warning("%s is revoked: GitHub found its secret", ended.id)
    return bool(found)


def _log_configured() -> None:
    _log.error("a gateway token of KEYDESK_GATEWAY_TOKENS has leaked: replace it and restart every node")


def _note(url: str) -> str:
    """The address comes from outside, and may itself contain a secret."""
    return f"Found by GitHub: {mask_secrets(url)[:_LONGEST_URL]}"
