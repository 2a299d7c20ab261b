"""Settings: unknown names and invalid values are refused at start, and no secret is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.errors import StartRefused
from app.settings import Settings

BAD = {
    "KEYDESK_DATABSE_URL": "sqlite:///x.db",
    "KEYDESK_DATABASE_URL": "mysql://x",
    "KEYDESK_PORT": "80000",
    "KEYDESK_GATEWAY_TOKENS": "short",
    "KEYDESK_PUBLIC_URL": "https://keys.example.com/path",
    "KEYDESK_TRUSTED_PROXIES": "10.0.0.0/33",
    "KEYDESK_SMTP_URL": "http://mail",
    "KEYDESK_ROLE": "everything",
    "KEYDESK_LOG_LEVEL": "loud",
    "KEYDESK_DEV": "yes",
}


@pytest.mark.parametrize("name", BAD)
def test_an_invalid_setting_is_refused_by_its_name(name: str) -> None:
    with pytest.raises(StartRefused, match=name):
        Settings.load({name: BAD[name]})


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("KEYDESK_PORT", "eighty", "KEYDESK_PORT: a port is a number from 0 to 65535."),
        ("KEYDESK_PORT", "-1", "KEYDESK_PORT: a port is a number from 0 to 65535."),
        ("KEYDESK_PORT", "9" * 5_000, "KEYDESK_PORT: a port is a number from 0 to 65535."),
        ("KEYDESK_PUBLIC_URL", "http://[x", "KEYDESK_PUBLIC_URL: its host cannot be read; an IPv6 address is written in brackets."),
        ("KEYDESK_SMTP_URL", "smtp://]", "KEYDESK_SMTP_URL: its host cannot be read; an IPv6 address is written in brackets."),
        ("KEYDESK_DRAIN_SECONDS", "soon", "KEYDESK_DRAIN_SECONDS: a number of seconds from 0 to 300."),
        ("KEYDESK_DRAIN_SECONDS", "nan", "KEYDESK_DRAIN_SECONDS: a number of seconds from 0 to 300."),
        (
            "KEYDESK_TRUSTED_PROXIES",
            "10.0.0.1/8",
            "KEYDESK_TRUSTED_PROXIES: '10.0.0.1/8' is not a network, like 10.0.0.0/8 or 2001:db8::/32.",
        ),
    ],
)
def test_an_invalid_setting_is_refused_with_a_clear_message(name: str, text: str, told: str) -> None:
    with pytest.raises(StartRefused) as refusal:
        Settings.load({name: text})
    assert str(refusal.value) == f"{told} It is {_shown(name, text)}."


def _shown(name: str, text: str) -> str:
    if name == "KEYDESK_SMTP_URL":
        return "'smtp://…'"
    return repr(text if len(text) <= 80 else f"{text[:80]}…")


POSTGRES = "postgresql://ann:canary@host"


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("KEYDESK_DATABASE_URL", f"{POSTGRES}/k?connect_timeout=10", "'connect_timeout' is not known"),
        ("KEYDESK_DATABASE_URL", f"{POSTGRES}/k?sslmode=require&channel_binding=require", "'channel_binding' is not known"),
        ("KEYDESK_DATABASE_URL", f"{POSTGRES}/k?schema=public", "'schema' is not known"),
        ("KEYDESK_DATABASE_URL", f"{POSTGRES}/k?sslmode=yes", "sslmode is one of"),
        ("KEYDESK_DATABASE_URL", f"{POSTGRES}:five/k", "its port is not a number"),
        ("KEYDESK_DATABASE_URL", f"{POSTGRES}:99999/k", "its port is not a number"),
        ("KEYDESK_DATABASE_URL", f"{POSTGRES}:1,other:x/k", "its port is not a number"),
        ("KEYDESK_DATABASE_URL", f"{POSTGRES}/k?port=x", "its port is not a number"),
        ("KEYDESK_DATABASE_URL", "postgresql://ann:canary/k", "its port is not a number"),
        ("KEYDESK_DATABASE_URL", f"{POSTGRES}/k\r", "a line end"),
        ("KEYDESK_DATABASE_URL", "sqlite://var/keydesk.db", "three slashes"),
        ("KEYDESK_DATABASE_URL", "sqlite:var/keydesk.db", "three slashes"),
        ("KEYDESK_DATABASE_URL", "sqlite:///", "three slashes"),
        ("KEYDESK_DATABASE_URL", "sqlite:///var/", "three slashes"),
        ("KEYDESK_DATABASE_URL", "sqlite:///:memory:", "three slashes"),
        ("KEYDESK_DATABASE_URL", "sqlite:///keydesk.db?mode=ro", "three slashes"),
        ("KEYDESK_DATABASE_URL", "sqlite:///keydesk.db\r", "a line end"),
        ("KEYDESK_DATABASE_URL", "var/keydesk.db", "starts with"),
        ("KEYDESK_ROLE", "all\r", "'all\\r'"),
        ("KEYDESK_ROLE", "everything", "'everything'"),
        ("KEYDESK_HOST", "127.0.0.1:8000", "'127.0.0.1:8000'"),
        ("KEYDESK_HOST", "my host", "'my host'"),
        ("KEYDESK_PUBLIC_URL", "https://keys.example.com:https", "'https://keys.example.com:https'"),
        ("KEYDESK_PUBLIC_URL", "https://ann@keys.example.com", "scheme, host and port only"),
        ("KEYDESK_SMTP_URL", "smtp://ann:canary@mail:post", "its port is not a number"),
        ("KEYDESK_SMTP_URL", "smtp://", "and a host"),
        ("KEYDESK_MAIL_FOLDER", "/mail\r", "'/mail\\r'"),
        ("KEYDESK_REVOCATION_JOURNAL", "/journal ", "'/journal '"),
        ("KEYDESK_CATALOGUE", "/\udcff.toml", "not UTF-8"),
        ("KEYDESK_PEPPER", "canary\udcff", "not UTF-8"),
        ("KEYDESK_GATEWAY_TOKENS", "canary", "32 characters"),
    ],
)
def test_an_invalid_value_is_refused_in_one_line_that_shows_it_but_no_secret(name: str, text: str, why: str) -> None:
    with pytest.raises(StartRefused) as refusal:
        Settings.load({name: text})
    told = str(refusal.value)
    assert told.startswith(f"{name}: ") and why in told
    assert "canary" not in told and told.isprintable()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql:///keydesk?host=/run/postgresql",
        "postgres://ann:p%40ss@host/k",
        "postgresql://ann@[2001:db8::1]:5433/k?sslmode=verify-full&sslrootcert=/ca.pem",
        "postgresql://ann@one:5432,two:5433/k?target_session_attrs=read-write",
        "postgresql://one,two/k?application_name=desk&search_path=desk",
        "sqlite:////data/key desk.db",
        "sqlite:///keydesk.db",
    ],
)
def test_every_valid_form_of_a_database_url_is_accepted_unchanged(url: str) -> None:
    assert Settings.load({"KEYDESK_DATABASE_URL": url}).database_url == url


def test_development_cookies_stay_on_this_machine() -> None:
    with pytest.raises(StartRefused, match="loopback"):
        Settings.load({"KEYDESK_DEV": "1", "KEYDESK_HOST": "0.0.0.0"})


def test_other_variables_and_those_of_clients_are_ignored() -> None:
    assert Settings.load({"HOME": "/", "KEYDESK_URL": "http://x", "KEYDESK_MANAGEMENT_KEY": "x"}) == Settings()


def test_the_journal_is_beside_the_database_by_default() -> None:
    assert Settings.load({"KEYDESK_DATABASE_URL": "sqlite:////data/keydesk.db"}).journal_path == Path("/data/revocations.jsonl")
    assert Settings.load({"KEYDESK_DATABASE_URL": "postgresql:///k"}).journal_path == Path("var/revocations.jsonl")
    assert Settings.load({"KEYDESK_REVOCATION_JOURNAL": "/safe/journal"}).journal_path == Path("/safe/journal")


def test_no_secret_setting_is_shown() -> None:
    secrets = {
        "KEYDESK_PEPPER": "canary-pepper",
        "KEYDESK_PEPPER_PREVIOUS": "canary-previous",
        "KEYDESK_GATEWAY_TOKENS": "canary-" * 8,
        "KEYDESK_SMTP_URL": "smtp://user:canary@mail",
        "KEYDESK_DATABASE_URL": "postgresql://user:canary@host/db",
    }
    assert "canary" not in repr(Settings.load(secrets))
