"""The catalogue: the contents of the default, and that a wrong file is refused with the line and the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from app import catalogue
from app.errors import StartRefused
from app.paths import DEFAULT_CATALOGUE

DEFAULT = catalogue.load(DEFAULT_CATALOGUE)


def test_the_plans_allow_what_they_promise() -> None:
    assert {plan.name: plan.max_api_keys for plan in DEFAULT.plans.values()} == {
        "free": 1,
        "starter": 2,
        "growth": 5,
        "scale": 10,
        "scale_business": 25,
        "scale_enterprise": None,
    }


def test_environments_say_when_to_rotate_and_whether_to_expire() -> None:
    assert {(e.name, e.prefix, e.rotate_every_days, e.must_expire, e.max_lifetime_days) for e in DEFAULT.environments.values()} == {
        ("production", "live", 90, False, None),
        ("staging", "test", 90, False, None),
        ("development", "test", 180, False, None),
        ("temporary", "test", None, True, 90),
    }


def test_presets_have_the_least_permissions() -> None:
    assert {preset.title: preset.permissions for preset in DEFAULT.presets.values()} == {
        "Production": ("pdf.generate", "pdf.read"),
        "Staging": ("pdf.generate", "pdf.read", "template.read"),
        "CI/CD": ("pdf.read",),
    }


def test_names_removed_from_the_catalogue_are_still_known_but_marked() -> None:
    assert not DEFAULT.permission("pdf.print").in_catalogue
    assert not DEFAULT.environment("canary").in_catalogue
    assert DEFAULT.plan("gone").name == "free"


WRONG = {
    "an unknown field": ('title = "Growth"', 'tilte = "Growth"', 26, "unknown field `tilte`"),
    "a wrong type": ("max_api_keys = 5", 'max_api_keys = "5"', 27, "Expected `int | null`"),
    "a bad prefix": ('prefix = "fl" ', 'prefix = "F"', 4, "$.key.prefix"),
    "a preset of an unknown permission": (
        'permissions = ["pdf.read"]',
        'permissions = ["pdf.reed"]',
        74,
        "no permission `pdf.reed`",
    ),
    "a preset of an unknown environment": ('environment = "staging"', 'environment = "stagin"', 68, "no environment `stagin`"),
    "no plan to start on": ("[plans.free]", "[plans.gratis]", 1, "a new workspace starts on the plan `free`"),
    "an expiry without a limit": ("max_lifetime_days = 90", "", 55, "must_expire needs max_lifetime_days"),
    "a name with a blank": ('"pdf.read" = ', '"pdf read" = ', 11, "`pdf read` is not a name"),
    "a class that does not exist": ('prefix = "live"', 'prefix = "prod"', 42, "(live|test)"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_catalogue_is_refused_with_line_and_reason(what: str, tmp_path: Path) -> None:
    good, bad, line, reason = WRONG[what]
    text = DEFAULT_CATALOGUE.read_text()
    assert good in text
    path = tmp_path / "catalogue.toml"
    path.write_text(text.replace(good, bad, 1))
    with pytest.raises(StartRefused) as refused:
        catalogue.load(path)
    assert f"{path}, line {line}: " in refused.value.message
    assert reason in refused.value.message


def test_a_missing_or_garbled_catalogue_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.toml"
    with pytest.raises(StartRefused, match=r"catalogue\.toml cannot be read"):
        catalogue.load(path)
    path.write_text("[key\nprefix = 1\n")
    with pytest.raises(StartRefused, match="line 1"):
        catalogue.load(path)
