"""Who uses a key: a network and a family of programs. Enough to see whether everybody has moved, too little to know a person."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import ipaddress
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from app import ids
from app.keys.secret import cut

FOLDED: Final = "*"
UNKNOWN: Final = ""
LONGEST_FAMILY: Final = 60
# What is looked at of a header that anybody may make as long as they like.
_LONGEST_LOOK: Final = 200
_LONGEST_ADDRESS: Final = 45
_NETWORK_BITS: Final = {4: 24, 6: 48}
_END_OF_NAME: Final = re.compile(r"[/(;,]")
_VERSION: Final = re.compile(r"(?:^|\s)v?\d+(?:[._+-][A-Za-z0-9]+)*$", re.I)


@dataclass(frozen=True, slots=True)
class Caller:
    """A network and a user-agent family seen using a key. Instants in microseconds; `permissions` are those it asked for.

    `network` is `203.0.113.0/24` or `2001:db8:1::/48`; network and family are empty where they are not known. The `folded`
    one stands for all that are no longer, or could not be, kept apart.
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
        """Whether it could be known again elsewhere."""
        return UNKNOWN not in (self.network, self.user_agent) and not self.folded


def network_of(address: str | None) -> str:
    """`203.0.113.9` → `203.0.113.0/24`, `2001:db8:1:2::3` → `2001:db8:1::/48`; empty for what is no address."""
    return _network_of(address) if address is not None and len(address) <= _LONGEST_ADDRESS else UNKNOWN


def family_of(user_agent: str | None) -> str:
    """`python-requests/2.31.0` → `python-requests`: the first product (RFC 9110 §10.1.5) without its version.

    Printable ASCII, at most LONGEST_FAMILY characters; a key that strayed into the header is cut to its prefix.
    """
    return _family_of(user_agent[:_LONGEST_LOOK]) if user_agent else UNKNOWN


@lru_cache(maxsize=16_384)
def caller_id(key_id: str, network: str, user_agent: str) -> str:
    """The same on every node: made of what a caller is, not of chance."""
    digest = hashlib.sha256("\0".join((key_id, network, user_agent)).encode()).digest()
    return f"{ids.CALLER}_{base64.b32encode(digest)[:20].decode().lower()}"


# The cached functions are pure: nothing that a database holds is remembered.
@lru_cache(maxsize=4_096)
def _network_of(address: str) -> str:
    with contextlib.suppress(ValueError):
        found = ipaddress.ip_address(address)
        plain = found.ipv4_mapped or found if isinstance(found, ipaddress.IPv6Address) else found
        return str(ipaddress.ip_network((plain.packed, _NETWORK_BITS[plain.version]), strict=False))
    return UNKNOWN


@lru_cache(maxsize=4_096)
def _family_of(user_agent: str) -> str:
    name = _END_OF_NAME.split(cut(user_agent), maxsplit=1)[0]
    plain = " ".join("".join(character if " " <= character <= "~" else " " for character in name).split())
    while (shorter := _VERSION.sub("", plain)) != plain:
        plain = shorter
    return plain[:LONGEST_FAMILY].strip()
