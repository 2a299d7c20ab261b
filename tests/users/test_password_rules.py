"""Which passwords are accepted."""

from __future__ import annotations

import pytest

from app.errors import ValidationFailed
from app.users import password_rules

GOOD = "quite a long horse story 7"


def code(password: str, *about: str) -> str:
    """The reason for refusing it; empty if it is accepted."""
    try:
        password_rules.checked(password, about=about)
    except ValidationFailed as refusal:
        return refusal.fields[0].code
    return ""


@pytest.mark.parametrize(
    "password",
    [
        GOOD,
        "fifteen letters"[:15],
        "🦉 owls in the tower 🦉",
        "пароль из нескольких слов",
        "correct donkey battery stable",
        "x4 " * 3 + "unlike anything else",
        "a sixty-four character passphrase about rivers, hills and storms",
        "é" * 200 + " and so on, again",
    ],
)
def test_long_ones_of_any_characters_are_accepted(password: str) -> None:
    assert code(password) == ""


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("", "TOO_SHORT"),
        ("fourteen chars", "TOO_SHORT"),
        ("x1y2" * 257, "TOO_LONG"),
        ("é" * 512 + "!", "TOO_LONG"),
        ("aaaaaaaaaaaaaaaaaaaa", "TOO_SIMPLE"),
        ("abcdefghijklmnopqrst", "TOO_SIMPLE"),
        ("zyxwvutsrqponmlkjihg", "TOO_SIMPLE"),
        ("qwertyuiopasdfghjkl", "TOO_SIMPLE"),
        ("12345678901234567890", "TOO_SIMPLE"),
        ("passwordpassword", "TOO_COMMON"),
        ("Password!!!!!!!!1234", "TOO_COMMON"),
        ("freelance-live-key", "TOO_COMMON"),
        ("keydesk-api-key-2026", "TOO_COMMON"),
    ],
)
def test_short_simple_and_common_ones_are_refused_with_the_reason(password: str, why: str) -> None:
    assert code(password) == why


def test_a_password_that_contains_the_users_name_or_address_is_refused() -> None:
    for password in ("ann.lee@example.org", "Ann Lee Ann Lee 2026", "annlee-annlee-annlee", "lee.ann.example.org"):
        assert code(password, "ann.lee@example.org", "Ann Lee") == "TOO_COMMON", password
    assert code("ann rides to the lake", "ann.lee@example.org", "Ann Lee") == ""


def test_the_list_has_more_than_ten_thousand() -> None:
    assert len(password_rules.common_passwords()) > 10_000
