"""Settings: unknown names and bad values refuse to start, and nothing secret is shown."""

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
def test_a_bad_setting_is_refused_by_its_name(name: str) -> None:
    with pytest.raises(StartRefused, match=name):
        Settings.load({name: BAD[name]})


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("KEYDESK_PORT", "eighty", "KEYDESK_PORT: a port is a number from 0 to 65535."),
        ("KEYDESK_PORT", "-1", "KEYDESK_PORT: a port is a number from 0 to 65535."),
        ("KEYDESK_PORT", "9" * 5_000, "KEYDESK_PORT: a port is a number from 0 to 65535."),
        ("KEYDESK_PUBLIC_URL", "http://[x", "KEYDESK_PUBLIC_URL: its host cannot be read; an IPv6 address stands in brackets."),
        ("KEYDESK_SMTP_URL", "smtp://]", "KEYDESK_SMTP_URL: its host cannot be read; an IPv6 address stands in brackets."),
        ("KEYDESK_DRAIN_SECONDS", "soon", "KEYDESK_DRAIN_SECONDS: a number of seconds from 0 to 300."),
        ("KEYDESK_DRAIN_SECONDS", "nan", "KEYDESK_DRAIN_SECONDS: a number of seconds from 0 to 300."),
        (
            "KEYDESK_TRUSTED_PROXIES",
            "10.0.0.1/8",
            "KEYDESK_TRUSTED_PROXIES: '10.0.0.1/8' is not a network, like 10.0.0.0/8 or 2001:db8::/32.",
        ),
    ],
)
def test_a_bad_setting_is_refused_in_our_words(name: str, text: str, told: str) -> None:
    with pytest.raises(StartRefused) as refusal:
        Settings.load({name: text})
    assert str(refusal.value) == told


def test_development_cookies_stay_on_this_machine() -> None:
    with pytest.raises(StartRefused, match="loopback"):
        Settings.load({"KEYDESK_DEV": "1", "KEYDESK_HOST": "0.0.0.0"})


def test_other_variables_and_the_clients_own_are_none_of_our_business() -> None:
    assert Settings.load({"HOME": "/", "KEYDESK_URL": "http://x", "KEYDESK_MANAGEMENT_KEY": "x"}) == Settings()


def test_the_journal_lies_beside_the_database_unless_told_otherwise() -> None:
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
