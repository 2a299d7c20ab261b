"""All settings: `KEYDESK_*` variables read once into one frozen object. Every one is described in `docs/settings.md`."""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from app import addresses, cores
from app.errors import StartRefused
from app.paths import DEFAULT_CATALOGUE

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

PREFIX = "KEYDESK_"
MINIMUM_SECRET_LENGTH = 32
LONGEST_SHOWN = 80
MOST_WORKERS = 128
# Settings whose surrounding white space is ignored, or handled by their own rules.
_STRIPPED = frozenset(
    {"KEYDESK_PEPPER", "KEYDESK_PEPPER_PREVIOUS", "KEYDESK_GATEWAY_TOKENS", "KEYDESK_TRUSTED_PROXIES", "KEYDESK_WEBHOOK_NETWORKS"}
)
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


def _postgres(text: str) -> str:
    url = addresses.database(text)
    if url.startswith("sqlite:"):
        raise ValueError("it begins with postgresql://, because SQLite has no roles")
    return url


def _role(text: str) -> str:
    if text not in ROLES:
        raise ValueError(f"one of {', '.join(ROLES)}")
    return text


def _key_source(text: str) -> str:
    """A URL or a file. Plain HTTP only from this machine: anyone who can change the keys can revoke every key they know."""
    if "://" not in text:
        try:
            exists = Path(text).is_file()
        except OSError:  # a name that is too long
            exists = False
        if not exists:
            raise ValueError("there is no such file")
        return text
    parts = urlsplit(text)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1", "localhost")):
        raise ValueError("an https:// address, or the path of a file")
    if not parts.hostname or "@" in parts.netloc:
        raise ValueError("an address without a user name, with a host")
    return text


def _seconds(text: str) -> float:
    if not re.fullmatch(r"[0-9]+(\.[0-9]+)?", text) or float(text) > 300:
        raise ValueError("a number of seconds from 0 to 300")
    return float(text)


def parse_workers(text: str) -> int:
    """Raises ValueError. `auto` is one for each core."""
    if text == "auto":
        return min(cores.available(), MOST_WORKERS)
    if not re.fullmatch(r"[0-9]{1,3}", text) or not 1 <= int(text) <= MOST_WORKERS:
        raise ValueError(f"a number from 1 to {MOST_WORKERS}, or auto")
    return int(text)


def _number_of_workspaces(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,4}", text):
        raise ValueError("a number from 0 to 9999")
    return int(text)


def _switch(text: str) -> bool:
    if text not in ("", "0", "1"):
        raise ValueError("1 or 0")
    return text == "1"


def _level(text: str) -> str:
    if text.upper() not in ("DEBUG", "INFO", "WARNING", "ERROR"):
        raise ValueError("one of DEBUG, INFO, WARNING, ERROR")
    return text.upper()


def _clean(name: str, text: str) -> None:
    """Raises ValueError for stray characters of an editor or of copying. Such a path would name, and create, another file."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("it is not UTF-8") from None
    if name not in _STRIPPED and (text != text.strip() or any(unicodedata.category(sign) == "Cc" for sign in text)):
        raise ValueError("it has a blank at an end, or a control character such as a line end")


def _shown(text: str, *, secret: bool = False) -> str:
    """The value for the error message; for a secret at most the scheme of its URL."""
    if secret:
        scheme = re.match(r"[A-Za-z0-9+.-]{1,20}://", text)
        return f"'{scheme[0]}…'" if scheme else "(not shown, it is a secret)"
    return repr(text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…")


def _setting(parse: Callable[[str], Any], default: Any, *, secret: bool = False) -> Any:
    return field(default=default, repr=not secret, metadata={"parse": parse, "secret": secret})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings chosen by the operator. The field `database_url` is the variable `KEYDESK_DATABASE_URL`, and so on."""

    database_url: str = _setting(addresses.database, "sqlite:///var/keydesk.db", secret=True)
    migration_database_url: str | None = _setting(_postgres, None, secret=True)
    host: str = _setting(addresses.listen_host, "127.0.0.1")
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
    contact: str | None = _setting(addresses.contact, None)
    workspaces_per_user: int = _setting(_number_of_workspaces, 3)
    webhook_networks: tuple[Network, ...] = _setting(_networks, ())
    revocation_journal: Path | None = _setting(Path, None)
    audit_checkpoints: Path | None = _setting(Path, None)
    github_keys: str | None = _setting(_key_source, None)
    role: str = _setting(_role, "all")
    workers: int = _setting(parse_workers, 1)
    trusted_documents_only: bool = _setting(_switch, False)
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
        """The file for revocations outside the database (DESIGN promise 3)."""
        if self.revocation_journal:
            return self.revocation_journal
        if self.sqlite_path:
            return self.sqlite_path.with_name("revocations.jsonl")
        return Path("var/revocations.jsonl")

    @property
    def checkpoints_path(self) -> Path:
        """The file for signed checkpoints of the audit log."""
        return self.audit_checkpoints or self.journal_path.with_name("audit-checkpoints.jsonl")

    @property
    def mail_path(self) -> Path:
        """The directory for e-mails while no mail server is configured."""
        if self.mail_folder:
            return self.mail_folder
        return self.sqlite_path.with_name("mail") if self.sqlite_path else Path("var/mail")

    @property
    def origin(self) -> str:
        """The public base URL; links in e-mails and on the console begin with it."""
        return self.public_url or addresses.origin_of("http", self.host, self.port)
