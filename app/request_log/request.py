"""A logged request of an API key, as frozen data, and the rule that decided it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import msgspec

from app import ids
from app.clock import DAY

REQUEST_ID: Final = ids.REQUEST
ACCEPTED: Final = "VALID"
# Of each key: the latest accepted requests, and the latest refused ones of this time.
MOST_ACCEPTED: Final = 100
MOST_REFUSED: Final = 1_000
REFUSED_KEPT: Final = 30 * DAY
# So many names or networks of a rule are kept.
MOST_NAMES: Final = 20
LONGEST_SEARCH: Final = 200


class Rule(msgspec.Struct, frozen=True, omit_defaults=True):
    """The state of a key that made a request refused, as it was then; what does not belong to the outcome is left out.

    `since`: when the key was revoked, suspended, or expired (microseconds). `allowed`: the networks or permissions it had, at
    most MOST_NAMES of them, and `more` beside these. `asked`, `own`, `gateway`: the environments of the request, of the key and
    of the gateway's token. `without_address`: the gateway sent no address.
    """

    since: int | None = None
    allowed: tuple[str, ...] = ()
    more: int = 0
    asked: str | None = None
    own: str | None = None
    gateway: str | None = None
    without_address: bool = False

    @classmethod
    def that_allowed(cls, names: tuple[str, ...], *, without_address: bool = False) -> Rule:
        """A rule that allowed only these networks or permissions."""
        return cls(allowed=names[:MOST_NAMES], more=max(0, len(names) - MOST_NAMES), without_address=without_address)


NO_RULE: Final = Rule()
_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder(Rule)


def encoded(rule: Rule) -> str:
    return _ENCODER.encode(rule).decode()


def decoded(text: str | None) -> Rule:
    return _DECODER.decode(text) if text else NO_RULE


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """A request of a key: its id is the `requestId` of the answer. `outcome` is a code of `verification.verdict`; an empty network
    or program is not known."""

    id: str
    key_id: str
    at: int
    outcome: str
    permission: str | None
    network: str
    user_agent: str
    rule: Rule = field(default=NO_RULE)

    @property
    def is_accepted(self) -> bool:
        return self.outcome == ACCEPTED


@dataclass(frozen=True, slots=True)
class RequestFilter:
    """`outcomes`: none for all. `accepted`: None for both. `search`: a part of the network or program."""

    accepted: bool | None = None
    outcomes: tuple[str, ...] = ()
    permission: str | None = None
    search: str = ""
    since: int | None = None
    until: int | None = None
