"""Checks of the settings that affect security. A line says whether a secret is set, never its value."""

from __future__ import annotations

from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from app import connections
from app.doctor.finding import Finding, fail, judged, ok, warn
from app.peppers import service as peppers
from app.settings import Network, Settings

# A wider network holds more machines than the few that are proxies.
_WIDEST: Final = {4: 8, 6: 32}


def of_settings(settings: Settings) -> list[Finding]:
    """One finding per setting, the most important first."""
    return [
        _cookies(settings),
        _public_url(settings),
        *_trusted_proxies(settings.trusted_proxies),
        _gateway_tokens(settings),
        _mail(settings),
        _log_level(settings),
        ok(
            "node",
            f"KEYDESK_ROLE {settings.role}, listens on {settings.host} port {settings.port}, drains {settings.drain_seconds:g} s,"
            f" KEYDESK_WORKERS {settings.workers}",
        ),
        _connections(),
        ok("catalogue", str(settings.catalogue)),
        *_files(settings),
    ]


def _connections() -> Finding:
    """Uses the open-file limit of this process; a service manager may set another one for the server."""
    connections.raise_limit()
    most = connections.most()
    text = f"a node started from here holds {most:,} at once"
    return ok("connections", text) if most >= 4096 else warn("connections", f"{text}. Raise its limit of open files (LimitNOFILE).")


def _cookies(settings: Settings) -> Finding:
    if settings.dev:
        return warn("cookies", "KEYDESK_DEV: sent over plain http, to this machine only. Unset it where people work.")
    return ok("cookies", "sent over https only")


def _public_url(settings: Settings) -> Finding:
    if settings.public_url is None:
        text = f"KEYDESK_PUBLIC_URL is not set: links begin with {settings.origin}"
        return ok("address", text) if settings.dev else warn("address", f"{text}, which nobody but this machine can open")
    if urlsplit(settings.public_url).scheme == "http" and not settings.dev:
        return fail("address", f"{settings.public_url}: over http browsers keep no session cookie. Use https.")
    return ok("address", settings.public_url)


def _trusted_proxies(networks: tuple[Network, ...]) -> list[Finding]:
    if not networks:
        return [ok("proxies", "none trusted: X-Forwarded-For is not believed")]
    return [_trusted_proxy(network) for network in networks]


def _trusted_proxy(network: Network) -> Finding:
    wide = network.prefixlen < _WIDEST[network.version]
    return judged(not wide, "proxies", f"{network} is trusted", "so many machines may claim any address. Name only your proxies.")


def _gateway_tokens(settings: Settings) -> Finding:
    return ok("gateway tokens", f"{len(settings.gateway_tokens)} in KEYDESK_GATEWAY_TOKENS, bound to nothing")


def _mail(settings: Settings) -> Finding:
    if settings.smtp_url is None:
        return _mail_folder(settings.mail_path)
    server = urlsplit(settings.smtp_url)
    if server.scheme == "smtp" and not server.username:
        return warn("mail", f"smtp://{server.hostname}: unencrypted where the server offers nothing better; links are secrets")
    return ok("mail", f"{server.scheme}://{server.hostname}, encrypted, from {settings.mail_from}")


def _mail_folder(folder: Path) -> Finding:
    """The folder contains invitations, and anyone who can read one may join."""
    mode = folder.stat().st_mode & 0o777 if folder.exists() else 0o700
    text = f"KEYDESK_SMTP_URL is not set: links are passed on by hand, e-mails are stored in {folder}"
    return judged(not mode & 0o077, "mail", text, f"which others on this machine may use. chmod 700 {folder}")


def _log_level(settings: Settings) -> Finding:
    text = f"KEYDESK_LOG_LEVEL {settings.log_level}"
    return warn("logs", f"{text}: meant for looking into a fault") if settings.log_level == "DEBUG" else ok("logs", text)


def _files(settings: Settings) -> list[Finding]:
    """Checks which users of the machine can read the files."""
    pepper, database = peppers.file_of(settings), settings.sqlite_path
    found = [_private("pepper", pepper)] if pepper else [ok("pepper", "in KEYDESK_PEPPER")]
    if pepper and database and pepper.parent.resolve() == database.parent.resolve() and not settings.dev:
        found.append(warn("pepper", "lies beside the database: who copies the folder has both. Move it, see KEYDESK_PEPPER_FILE."))
    if database:
        beside = (database, *(database.with_name(database.name + end) for end in ("-wal", "-shm")))
        found += [_private("database", path) for path in beside if path.exists()]
    return [*found, *([_private("journal", settings.journal_path)] if settings.journal_path.exists() else [])]


def _private(what: str, path: Path) -> Finding:
    mode = path.stat().st_mode & 0o777
    return judged(not mode & 0o077, what, f"{path} has mode {mode:04o}", f"others on this machine may use it. chmod 600 {path}")
