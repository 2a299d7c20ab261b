"""Validation of users' e-mail addresses and names."""

from __future__ import annotations

import pytest

from app.users.validation import email_fault, email_key


@pytest.mark.parametrize(
    ("email", "key"),
    [
        ("ann@example.org", "ann@example.org"),
        ("  Ann.Lee+keys@Example.ORG ", "ann.lee+keys@example.org"),
        ("ann\uff20example.org", "ann@example.org"),
        ("stra\u00dfe@example.org", "strasse@example.org"),
        ("\ufb01nn@example.org", "finn@example.org"),
        ("用户@例え.jp", "用户@例え.jp"),
    ],
)
def test_all_spellings_of_an_address_have_one_key(email: str, key: str) -> None:
    assert email_key(email) == key


@pytest.mark.parametrize(
    "email",
    [
        "", " ", "ann", "@example.org", "ann@", "a@b@c", "ann lee@example.org", "ann@exam\nple.org", "ann@example.org\x00",
        "\ud800@example.org", "a" * 310 + "@example.org", "\ufdfa" * 100 + "@example.org", "<ann@example.org>",
        "ann@example.org,eve@example.org", "team:ann@example.org;", '"ann"@example.org', "ann(eve)@example.org",
        "a\u2028b@example.org", "ann\u00a0lee@example.org", "x" * 1_000_000,
    ],
)  # fmt: skip
def test_an_invalid_address_is_refused_and_belongs_to_no_user(email: str) -> None:
    fault = email_fault(email)
    assert fault and fault.field == "email" and email_key(email) == ""


def test_an_address_of_the_greatest_length_is_accepted() -> None:
    assert email_fault("a" * 308 + "@example.org") is None
