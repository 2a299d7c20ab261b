"""Validates addresses in settings, so that accepted ones work: of the database, the mail server, this server and its users.

Each function returns the value, or raises ValueError with what is expected. Origins are written as browsers do in `Host` and
`Origin`: see `canonical_host` and `origin_of`.
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
from collections.abc import Callable
from typing import Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

_LONGEST: Final = 253
_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
# Characters that Python's older IDNA rules encode differently from browsers.
_DEVIATING: Final = frozenset("ßς\u200c\u200d")
# Parameters that a PostgreSQL URL may have.
_PARAMETERS = frozenset(
    {
        *("host", "port", "user", "password", "passfile", "dbname", "database", "application_name", "search_path"),
        *("sslmode", "sslcert", "sslkey", "sslrootcert", "sslcrl", "sslpassword"),
        *("ssl_min_protocol_version", "ssl_max_protocol_version", "target_session_attrs"),
    }
)
_SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_LOCAL = r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+"
_SENDER = re.compile(rf"""(?:"[^"<>]*"|[^"<>@,;:()]*)\s*<{_LOCAL}@(?P<domain>[^<>]+)>|{_LOCAL}@(?P<bare>[^<>]+)""")


def port(text: str) -> int:
    """0 to 65535, in ASCII digits and nothing else."""
    if not re.fullmatch(r"[0-9]+", text) or int(text[:6]) > 65_535:
        raise ValueError("a port is a number from 0 to 65535")
    return int(text)


def listen_host(text: str) -> str:
    """An address or a name of this machine."""
    try:
        return canonical_host(text.removesuffix("."))
    except ValueError:
        raise ValueError("an address or a name to listen on, without a port") from None


def sender(text: str) -> str:
    """One e-mail address, with or without a display name."""
    with contextlib.suppress(ValueError):
        if (found := _SENDER.fullmatch(text)) and canonical_host(found["domain"] or found["bare"]):
            return text
    raise ValueError("one address, like keys@example.com or Keys <keys@example.com>")


def contact(text: str) -> str:
    """The URL of a page, or `mailto:` with an e-mail address."""
    if text.startswith(("http://", "https://")) and _split(text).hostname:
        return text
    with contextlib.suppress(ValueError):
        if (found := _SENDER.fullmatch(text)) and found["bare"] and canonical_host(found["bare"]):
            return f"mailto:{text}"
    raise ValueError("an e-mail address, or the https:// address of a page")


def database(text: str) -> str:
    """The URL unchanged: of an SQLite file, or of PostgreSQL with connection parameters."""
    if text.startswith("sqlite:"):
        path = text.removeprefix("sqlite:///")
        if path == text or path.endswith("/") or path == "" or re.search(r"[?#]|^:memory:$", path):
            raise ValueError("sqlite:/// (three slashes) and the path of a file, four slashes for an absolute path")
        return text
    url = _split(_url("sqlite", "postgresql", "postgres")(text))
    for host in url.netloc.rpartition("@")[2].split(","):
        _host_of_database(host)
    # asyncpg would send unknown parameters to the server as settings, and the server would refuse them.
    for name, value in parse_qsl(url.query, keep_blank_values=True):
        if name not in _PARAMETERS:
            raise ValueError(f"the parameter {name!r} is not known here: leave it out")
        if name == "sslmode" and value not in _SSL_MODES:
            raise ValueError(f"sslmode is one of {', '.join(_SSL_MODES)}")
        for part in value.split(","):
            if name == "port":
                _port_of(part)
            if name == "host":
                _host_of_database(part)
    return text


def _host_of_database(text: str) -> None:
    """None, the directory of a socket, an address or a name, each optionally with a port."""
    host = unquote(text)
    if ":" in host.rpartition("]")[2]:
        host, _, port = host.rpartition(":")
        _port_of(port)
    if host and not host.startswith("/"):
        canonical_host(host.removeprefix("[").removesuffix("]").removesuffix("."))


def _port_of(text: str) -> None:
    with contextlib.suppress(ValueError):
        if text and port(text):
            return
    raise ValueError("its port is not a number from 1 to 65535")


def smtp(text: str) -> str:
    """The URL unchanged."""
    if not (host := _split(_url("smtp", "smtps")(text)).hostname):
        raise ValueError("smtp:// or smtps:// and a host")
    canonical_host(host.removesuffix("."))
    return text


def _url(*schemes: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if _split(text).scheme not in schemes:
            raise ValueError(f"starts with {' or '.join(f'{scheme}://' for scheme in schemes)}")
        return text

    return parse


def origin(text: str) -> str:
    """Scheme, host and port, as browsers write them."""
    url = _split(_url("http", "https")(text.removesuffix("/")))
    if not url.hostname or "%" in url.hostname or url.path or url.query or url.fragment or "@" in url.netloc or url.port == 0:
        raise ValueError("scheme, host and port only, for example https://keys.example.com")
    return origin_of(url.scheme, canonical_host(url.hostname), url.port)


def _split(text: str) -> SplitResult:
    try:
        url = urlsplit(text)
    except ValueError:
        raise ValueError("its host cannot be read; an IPv6 address is written in brackets") from None
    # Of several hosts each has its own port: `_database` looks at those.
    if "," not in url.netloc:
        try:
            _ = url.port
        except ValueError:
            raise ValueError("its port is not a number from 1 to 65535") from None
    return url


def canonical_host(host: str) -> str:
    """An address in its short form or a name in lower case and ASCII (`xn--…`). Raises ValueError for anything else."""
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).compressed
    name = _in_ascii(host).lower()
    labels = name.split(".")
    # Browsers read a name that ends in a number as an IPv4 address, which it is not.
    if len(name) > _LONGEST or not all(map(_LABEL.fullmatch, labels)) or labels[-1].isdigit():
        raise ValueError("its host is no address and no name")
    return name


def origin_of(scheme: str, host: str, port: int | None) -> str:
    """The origin as browsers write it: IPv6 addresses in brackets, without the scheme's default port."""
    shown = f"[{host}]" if ":" in host else host
    return f"{scheme}://{shown}" if port in (None, _DEFAULT_PORTS[scheme]) else f"{scheme}://{shown}:{port}"


def _in_ascii(host: str) -> str:
    if host.isascii():
        return host
    if _DEVIATING.isdisjoint(host):
        with contextlib.suppress(UnicodeError):
            return host.encode("idna").decode("ascii")
    raise ValueError("its host is to be given in its ASCII form, xn--…")
