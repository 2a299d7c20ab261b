"""All settings: `KEYDESK_*` variables read once into one frozen object. Every one is described in `docs/settings.md`."""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from app import addresses
from app.errors import StartRefused
from app.paths import DEFAULT_CATALOGUE

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

PREFIX = "KEYDESK_"
MINIMUM_SECRET_LENGTH = 32
LONGEST_SHOWN = 80
# White space around these has never been part of them, or is their own affair.
_STRIPPED = frozenset({"KEYDESK_PEPPER", "KEYDESK_PEPPER_PREVIOUS", "KEYDESK_GATEWAY_TOKENS", "KEYDESK_TRUSTED_PROXIES"})
ROLES = ("all", "verify", "control")
# Read by the client and by `keydesk rotate` and `keydesk scan`, not by the server.
CLIENT_VARIABLES = frozenset({"KEYDESK_SERVER", "KEYDESK_MANAGEMENT_KEY", "KEYDESK_URL", "KEYDESK_GATEWAY_TOKEN"})


def _networks(text: str) -> tuple[Network, ...]:
    return tuple(map(_network, _parts(text)))


def _parts(text: str) -> list[str]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts:
        raise ValueError("there is nothing between its commas")
    return parts


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        raise ValueError(f"{_shown(text)} is not a network, like 10.0.0.0/8 or 2001:db8::/32") from None


def _tokens(text: str) -> tuple[str, ...]:
    tokens = tuple(_parts(text))
    if any(len(token) < MINIMUM_SECRET_LENGTH for token in tokens):
        raise ValueError(f"each token needs {MINIMUM_SECRET_LENGTH} characters or more")
    return tokens


def _role(text: str) -> str:
    if text not in ROLES:
        raise ValueError(f"one of {', '.join(ROLES)}")
    return text


def _seconds(text: str) -> float:
    if not re.fullmatch(r"[0-9]+(\.[0-9]+)?", text) or float(text) > 300:
        raise ValueError("a number of seconds from 0 to 300")
    return float(text)


def _switch(text: str) -> bool:
    if text not in ("", "0", "1"):
        raise ValueError("1 or 0")
    return text == "1"


def _level(text: str) -> str:
    if text.upper() not in ("DEBUG", "INFO", "WARNING", "ERROR"):
        raise ValueError("one of DEBUG, INFO, WARNING, ERROR")
    return text.upper()


def _clean(name: str, text: str) -> None:
    """ValueError for what an editor or a copy left behind. Such a path would name another file, and make it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("it is not UTF-8") from None
    if name not in _STRIPPED and (text != text.strip() or any(unicodedata.category(sign) == "Cc" for sign in text)):
        raise ValueError("it has a blank at an end, or a control character such as a line end")


def _shown(text: str, *, secret: bool = False) -> str:
    """The value for the refusal; of a secret one at most the scheme of its address."""
    if secret:
        scheme = re.match(r"[A-Za-z0-9+.-]{1,20}://", text)
        return f"'{scheme[0]}…'" if scheme else "(not shown, it is a secret)"
    return repr(text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…")


def _setting(parse: Callable[[str], Any], default: Any, *, secret: bool = False) -> Any:
    return field(default=default, repr=not secret, metadata={"parse": parse, "secret": secret})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the operator chose. The field `database_url` is the variable `KEYDESK_DATABASE_URL`, and so on."""

    database_url: str = _setting(addresses.database, "sqlite:///var/keydesk.db", secret=True)
    host: str = _setting(addresses.listening, "127.0.0.1")
    port: int = _setting(addresses.port, 8000)
    pepper: str | None = _setting(str, None, secret=True)
    pepper_file: Path | None = _setting(Path, None)
    pepper_previous: str | None = _setting(str, None, secret=True)
    gateway_tokens: tuple[str, ...] = _setting(_tokens, (), secret=True)
    public_url: str | None = _setting(addresses.origin, None)
    trusted_proxies: tuple[Network, ...] = _setting(_networks, ())
    catalogue: Path = _setting(Path, DEFAULT_CATALOGUE)
    smtp_url: str | None = _setting(addresses.smtp, None, secret=True)
    mail_from: str = _setting(addresses.sender, "Keydesk <keydesk@localhost>")
    mail_folder: Path | None = _setting(Path, None)
    revocation_journal: Path | None = _setting(Path, None)
    role: str = _setting(_role, "all")
    log_level: str = _setting(_level, "INFO")
    drain_seconds: float = _setting(_seconds, 3.0)
    dev: bool = _setting(_switch, False)

    @classmethod
    def load(cls, environment: Mapping[str, str]) -> Settings:
        """Raises StartRefused, naming the variable and what is in it, for an unknown `KEYDESK_*` name or a bad value."""
        known = {PREFIX + item.name.upper(): item for item in fields(cls)}
        given = {name: text for name, text in environment.items() if name.startswith(PREFIX) and name not in CLIENT_VARIABLES}
        if unknown := sorted(given.keys() - known.keys()):
            raise StartRefused(f"{unknown[0]} is not a setting of Keydesk; docs/settings.md lists them all.")
        values: dict[str, Any] = {}
        for name, text in given.items():
            if text == "" and name != f"{PREFIX}DEV":
                continue
            try:
                _clean(name, text)
                values[known[name].name] = known[name].metadata["parse"](text)
            except ValueError as error:
                shown = _shown(text, secret=known[name].metadata["secret"])
                raise StartRefused(f"{name}: {error}. It is {shown}.") from None
        settings = cls(**values)
        settings._refuse_contradictions()
        return settings

    def _refuse_contradictions(self) -> None:
        if self.dev and self.host not in ("127.0.0.1", "::1", "localhost"):
            raise StartRefused("KEYDESK_DEV sends cookies over plain http, so it works on a loopback KEYDESK_HOST only.")
        if self.pepper and self.pepper_file:
            raise StartRefused("Set KEYDESK_PEPPER or KEYDESK_PEPPER_FILE, not both.")

    @property
    def sqlite_path(self) -> Path | None:
        """The file of an SQLite database; None on PostgreSQL."""
        if not self.database_url.startswith("sqlite:"):
            return None
        return Path(self.database_url.removeprefix("sqlite:///"))

    @property
    def journal_path(self) -> Path:
        """Where revocations are written down outside the database (DESIGN promise 3)."""
        if self.revocation_journal:
            return self.revocation_journal
        if self.sqlite_path:
            return self.sqlite_path.with_name("revocations.jsonl")
        return Path("var/revocations.jsonl")

    @property
    def mail_path(self) -> Path:
        """Where mails are put as files while there is no mail server."""
        if self.mail_folder:
            return self.mail_folder
        return self.sqlite_path.with_name("mail") if self.sqlite_path else Path("var/mail")

    @property
    def origin(self) -> str:
        """The address people use; links in e-mails and on the console begin with it."""
        return self.public_url or addresses.origin_of("http", self.host, self.port)
