"""What happens when a code host reports leaked secrets: what they open is revoked."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from app import catalogue
from app.access.actor import Actor, ActorKind
from app.keys.key import Reason
from app.keys.secret import class_of, mask_secrets
from app.leaks import credentials

GITHUB: Final = Actor(ActorKind.SYSTEM, "github", "GitHub secret scanning")
_LONGEST_URL: Final = 500
_log = logging.getLogger("keydesk.leaks")


@dataclass(frozen=True, slots=True)
class Match:
    """A text that looked like a secret, and the address where it is."""

    secret: str = field(repr=False)
    url: str


async def report(matches: Sequence[Match], configured: tuple[str, ...]) -> set[str]:
    """Revokes everything that these secrets open, and returns those that are or were valid here.

    Only a whole secret counts, with a valid checksum and the digest of a credential. Repeated reports change nothing.
    `configured`: gateway tokens of the settings, which only the operator can withdraw.
    """
    first = {match.secret: match for match in reversed(matches)}
    return {secret for secret, match in first.items() if await _is_ended(match, configured)}


async def _is_ended(match: Match, configured: tuple[str, ...]) -> bool:
    if match.secret in configured:
        _log.error("a gateway token of KEYDESK_GATEWAY_TOKENS has leaked: replace it and restart every node")
        return True
    if class_of(match.secret, catalogue.current().prefixes) is None:
        return False
    found = await credentials.opened_by(GITHUB, match.secret)
    if found is None:
        return False
    ended = await credentials.revoke(GITHUB, found, Reason.COMMITTED_TO_REPOSITORY, _note(match.url))
    _log.warning("%s is revoked: GitHub found its secret", ended.id)
    return True


def _note(url: str) -> str:
    """The address comes from outside, and may itself contain a secret."""
    return f"Found by GitHub: {mask_secrets(url)[:_LONGEST_URL]}"
