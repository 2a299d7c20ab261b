"""Callers of a key: a network and a user-agent family. Enough to see whether all have moved, too little to identify a person."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from app.keys.secret import mask_secrets

CALLER_ID: Final = "cal"

FOLDED: Final = "*"
UNKNOWN: Final = ""
LONGEST_FAMILY: Final = 60
# How much of the header is read, which clients may make arbitrarily long.
_LONGEST_LOOK: Final = 200
_LONGEST_ADDRESS: Final = 45
_NETWORK_BITS: Final = {4: 24, 6: 48}
_END_OF_NAME: Final = re.compile(r"[/(;,]")
_VERSION: Final = re.compile(r"(?:^|\s)v?\d+(?:[._+-][A-Za-z0-9]+)*$", re.I)


@dataclass(frozen=True, slots=True)
class Caller:
    """A network and a user-agent family seen using a key. Instants in microseconds; `permissions` are those it requested.

    `network` is `203.0.113.0/24` or `2001:db8:1::/48`; network and family are empty where they are not known. The `folded`
    one represents all callers that are not, or no longer, kept apart.
    """

    id: str
    key_id: str
    network: str
    user_agent: str
    first_seen_at: int
    last_seen_at: int
    requests: int
    permissions: tuple[str, ...]

    @property
    def folded(self) -> bool:
        return self.network == FOLDED

    @property
    def recognisable(self) -> bool:
        """Whether it could be recognized on another key."""
        return UNKNOWN not in (self.network, self.user_agent) and not self.folded


@dataclass(frozen=True, slots=True)
class CallerCount:
    """A network and a user-agent family with all requests since it was first seen, with one key or with several together."""

    network: str
    user_agent: str
    first_seen_at: int
    last_seen_at: int
    requests: int

    @property
    def folded(self) -> bool:
        return self.network == FOLDED


def seen_between(callers: Iterable[Caller], since: int, until: int) -> list[CallerCount]:
    """Those of a key's callers that were seen from `since` up to but not including `until`, as far as their first and last
    times say, the busiest first."""
    found = [
        CallerCount(caller.network, caller.user_agent, caller.first_seen_at, caller.last_seen_at, caller.requests)
        for caller in callers
        if caller.last_seen_at >= since and caller.first_seen_at < until
    ]
    return sorted(found, key=lambda caller: (-caller.requests, caller.network, caller.user_agent))


def network_of(address: str | None) -> str:
    """`203.0.113.9` → `203.0.113.0/24`, `2001:db8:1:2::3` → `2001:db8:1::/48`; empty for anything that is not an address."""
    return _network_of(address) if address is not None and len(address) <= _LONGEST_ADDRESS else UNKNOWN


def network_in(text: str) -> str:
    """The network of an address, or of a network as it is shown; empty if the text is neither."""
    address, slash, bits = text.strip().partition("/")
    found = network_of(address)
    return found if not slash or found.endswith(f"/{bits}") else UNKNOWN


def family_of(user_agent: str | None) -> str:
    """`python-requests/2.31.0` → `python-requests`: the first product (RFC 9110 §10.1.5) without its version.

    Printable ASCII, at most LONGEST_FAMILY characters; a key in the header by mistake is truncated to its prefix.
    """
    return _family_of(user_agent[:_LONGEST_LOOK]) if user_agent else UNKNOWN


@lru_cache(maxsize=16_384)
def caller_id(key_id: str, network: str, user_agent: str) -> str:
    """An id derived from the caller, not random, so it is the same on every node."""
    digest = hashlib.sha256("\0".join((key_id, network, user_agent)).encode()).digest()
    return f"{CALLER_ID}_{base64.b32encode(digest)[:20].decode().lower()}"


# The cached functions are pure: no data of the database is cached.
@lru_cache(maxsize=4_096)
def _network_of(address: str) -> str:
    with contextlib.suppress(ValueError):
        found = ipaddress.ip_address(address)
        plain = found.ipv4_mapped or found if isinstance(found, ipaddress.IPv6Address) else found
        return str(ipaddress.ip_network((plain.packed, _NETWORK_BITS[plain.version]), strict=False))
    return UNKNOWN


@lru_cache(maxsize=4_096)
def _family_of(user_agent: str) -> str:
    name = _END_OF_NAME.split(mask_secrets(user_agent), maxsplit=1)[0]
    plain = " ".join("".join(character if " " <= character <= "~" else " " for character in name).split())
    while (shorter := _VERSION.sub("", plain)) != plain:
        plain = shorter
    return plain[:LONGEST_FAMILY].strip()
