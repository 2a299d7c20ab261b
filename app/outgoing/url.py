"""A URL that a user chose, taken apart, and refused if a request to it could never be sent."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from app.outgoing.networks import Network, is_allowed

LONGEST_URL: Final = 2_000
# Where receivers of webhooks are: a port of another service is refused, on any host.
PORTS: Final = (443, 8443)
# Visible ASCII only: whatever ends a line, or a word, of the request's head is refused before the URL is parsed, because
# urlsplit drops it silently. A backslash and a fragment are read differently by different programs.
_VISIBLE: Final = re.compile(r"[!-~]+")
_HOST: Final = re.compile(r"[0-9A-Za-z]([0-9A-Za-z_.-]{0,251}[0-9A-Za-z.])?|\[[0-9A-Fa-f:.]+\]")


class UrlRefused(ValueError):
    """The message is a sentence for the user who entered the URL."""


@dataclass(frozen=True, slots=True)
class Rules:
    """`networks`: closed ones that are open here, on every port. `plain`: http and every port are allowed, for development."""

    networks: tuple[Network, ...] = ()
    plain: bool = False


@dataclass(frozen=True, slots=True)
class Target:
    """`host` without brackets; `path` with the query, as it is sent."""

    is_tls: bool
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """The value of the `Host` header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.is_tls else 80) else f"{host}:{self.port}"


def parse(text: str, rules: Rules) -> Target:
    """Raises UrlRefused. Says nothing about the addresses of a host name, which are checked for each connection."""
    if not _VISIBLE.fullmatch(text) or len(text) > LONGEST_URL:
        raise UrlRefused(f"A URL has visible ASCII characters only, {LONGEST_URL} at most.")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise UrlRefused("This is not a URL.") from None
    if parts.scheme not in ("https", *(["http"] if rules.plain else [])):
        raise UrlRefused("The URL has to begin with https://.")
    if "@" in parts.netloc or "\\" in text or "#" in text:
        raise UrlRefused("A URL without user name, backslash or fragment, please.")
    if not _HOST.fullmatch(parts.netloc.removesuffix(f":{port}")):
        raise UrlRefused("This URL has no host name.")
    host, is_tls = (parts.hostname or "").rstrip("."), parts.scheme == "https"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    target = Target(is_tls, host, (443 if is_tls else 80) if port is None else port, path)
    _refuse_closed(target, rules)
    return target


def require_open(found: Collection[str], target: Target, rules: Rules) -> None:
    """Raises UrlRefused unless every one of the addresses, and the port there, may be contacted."""
    for text in found:
        address = ipaddress.ip_address(text)
        if not is_allowed(address, rules.networks):
            raise UrlRefused("The address of this host is not a public one. The operator can allow it: KEYDESK_WEBHOOK_NETWORKS.")
        if not (rules.plain or target.port in PORTS or not is_allowed(address)):
            raise UrlRefused(f"The port has to be {' or '.join(map(str, PORTS))}.")


def _refuse_closed(target: Target, rules: Rules) -> None:
    try:
        address = str(ipaddress.ip_address(target.host))
    except ValueError:
        if not rules.plain and not rules.networks and target.port not in PORTS:
            raise UrlRefused(f"The port has to be {' or '.join(map(str, PORTS))}.") from None
        return
    require_open([address], target, rules)
