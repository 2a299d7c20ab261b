"""Unusual values of every setting: they are accepted, or refused in one line that shows them; never a traceback, and never a
node that starts and then refuses every request."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Final

import pytest

from app import cores
from app.errors import StartRefused
from app.settings import PREFIX, Settings

LONG: Final = "a" * 64
BAD_NAMES: Final = (f"{LONG}.example", "a..b", ".example", "-a.example", "a b", "*", "*.example.com", "ä" * 64, "1.2.3.4.5", "a%zz")
# For each setting, accepted values with their result, and refused values.
TAKEN: Final[dict[str, dict[str, Any]]] = {
    "host": {
        "LOCALHOST": "localhost",
        "::1": "::1",
        "0:0:0::1": "::1",
        "my_host.": "my_host",
        "bücher.example": "xn--bcher-kva.example",
    },
    "port": {"0": 0, "08080": 8080, "65535": 65535},
    "public_url": {
        "https://keys.example.com:443": "https://keys.example.com",
        "http://keys.example.com:80/": "http://keys.example.com",
        "https://Keys.Example.com:80": "https://keys.example.com:80",
        "https://keys.example.com:": "https://keys.example.com",
        "https://Bücher.example": "https://xn--bcher-kva.example",
        "https://bücher。example:443": "https://xn--bcher-kva.example",
        "https://xn--bcher-kva.example": "https://xn--bcher-kva.example",
        "https://[2001:DB8:0::1]:443": "https://[2001:db8::1]",
        "https://my_host:8443": "https://my_host:8443",
    },
    "trusted_proxies": {"10.0.0.0/8,": 1},
    "gateway_tokens": {f"{'t' * 32},": 1},
    "mail_from": {
        "Keys <keys@example.com>": "Keys <keys@example.com>",
        "keydesk@localhost": "keydesk@localhost",
        '"Keys: x" <a@b>': '"Keys: x" <a@b>',
    },
    "contact": {
        "support@example.com": "mailto:support@example.com",
        "https://example.com/help?from=keys": "https://example.com/help?from=keys",
    },
    "smtp_url": {"smtp://ann:p%40ss@mail.example.com.": "smtp://ann:p%40ss@mail.example.com."},
    "drain_seconds": {"0": 0.0, "0.5": 0.5, "300": 300.0},
    "workspaces_per_user": {"0": 0, "1": 1, "9999": 9999},
    "workers": {"1": 1, "16": 16, "128": 128, "auto": cores.available()},
    "database_url": {
        "postgresql://db.example.com./k": "postgresql://db.example.com./k",
        "postgresql://%2Frun%2Fpostgresql/k": "postgresql://%2Frun%2Fpostgresql/k",
        "postgresql:///k?host=one:5433,/run/postgresql": "postgresql:///k?host=one:5433,/run/postgresql",
    },
}
REFUSED: Final[dict[str, tuple[str, ...]]] = {
    "host": (*BAD_NAMES, "localhost:80", "[::1]", "http://localhost"),
    "port": ("٨٠٨٠", "²", "1_0", "+80", "-1", "80.0", "0x50", "65536", "1e3", "8 0"),
    "public_url": (
        *(f"https://{name}" for name in BAD_NAMES),
        *("https://", "https://keys.example.com.", "https://keys.example.com:0", "https://keys.example.com:٨", "https://a,b"),
        *("https://keys.example.com//", "https://keys.example.com/x", "https://straße.example", "https://[fe80::1%25eth0]"),
        *("https://@keys.example.com", "https://keys.example.com?x", "//keys.example.com", "keys.example.com", "https://[::1"),
    ),
    "trusted_proxies": (",", " , ", "10.0.0.0/٨", "all", "10.0.0.1/8"),
    "gateway_tokens": (",", " , ", "short", f"{'t' * 32},short"),
    "contact": ("help", "mailto:a@b", "Keys <keys@example.com>", "javascript:alert(1)", "ftp://example.com", "a@b..c", "https://"),
    "mail_from": (
        "not an address",
        "@",
        "keys@",
        "@example.com",
        "Keys",
        "Keys <>",
        "a@b, c@d",
        f"a@{LONG}",
        "a@b..c",
        "group: a@b;",
    ),
    "smtp_url": (*(f"smtp://{name}" for name in BAD_NAMES if "%" not in name), "smtp://", "mail.example.com", "smtp://h:٨"),
    "drain_seconds": ("1_0", "1e1", "inf", "nan", "-0", "+1", "٣", "300.1", "1.", ".5", "0x1", "9" * 400),
    "database_url": (
        *(f"postgresql://ann:canary@{name}/k" for name in BAD_NAMES if "%" not in name),
        *(f"postgresql:///k?host={name}&password=canary" for name in (f"{LONG}.example", "a..b")),
        *("postgresql://one,a..b/k", "sqlite:///", "sqlite://x", "postgresql://h:0/k", "postgresql://h:٨/k"),
    ),
    "workspaces_per_user": ("-1", "+1", "1.0", "1e1", "10000", "unlimited", "²", "٢"),
    "workers": ("0", "129", "-1", "+2", "2.0", "1e1", "²", "٢", "Auto", "all"),
    "role": ("ALL", "all,verify", "verifу"),
    "log_level": ("", "trace", "10"),
    "dev": ("true", "2", "١", "on"),
}


def taken() -> list[tuple[str, str, Any]]:
    return [(name, text, value) for name, values in TAKEN.items() for text, value in values.items()]


@pytest.mark.parametrize(("name", "text", "value"), taken())
def test_a_valid_value_is_normalized(name: str, text: str, value: Any) -> None:
    found = getattr(Settings.load({PREFIX + name.upper(): text}), name)
    assert (len(found) if isinstance(found, tuple) else found) == value


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in REFUSED.items() for text in texts if text])
def test_an_invalid_value_is_refused_in_one_line_that_shows_it(name: str, text: str) -> None:
    variable = PREFIX + name.upper()
    with pytest.raises(StartRefused) as refusal:
        Settings.load({variable: text})
    told = str(refusal.value)
    assert told.startswith(f"{variable}: ") and "\n" not in told and "canary" not in told
    secret = next(item for item in fields(Settings) if item.name == name).metadata["secret"]
    assert secret or repr(text)[:80] in told


@pytest.mark.parametrize("name", [item.name for item in fields(Settings)])
@pytest.mark.parametrize(
    "text", ["\0", "\ud800", " ", "x\n", ",", "/", "%", "\u202e", "٣", "x" * 100_000, "://", "[", "]", "@", ":0", "::"]
)
def test_any_text_is_accepted_or_refused_in_one_line(name: str, text: str) -> None:
    try:
        Settings.load({PREFIX + name.upper(): text})
    except StartRefused as refusal:
        assert "\n" not in str(refusal) and len(str(refusal)) < 400


@pytest.mark.parametrize(("port", "origin"), [("80", "http://127.0.0.1"), ("8000", "http://127.0.0.1:8000")])
def test_the_default_origin_is_normalized_the_same_way(port: str, origin: str) -> None:
    assert Settings.load({"KEYDESK_PORT": port}).origin == origin
