"""`doctor --catalogue`: lists every live key that another catalogue would affect, and changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from app import catalogue, database
from app.access.actor import Actor
from app.clock import DAY, rfc3339
from app.doctor.preview import preview
from app.errors import NotAllowed
from app.keys import service as keys
from app.keys.key import ApiKey, Reason
from app.paths import DEFAULT_CATALOGUE
from tests.conftest import Team, make_key

NOW = 1_793_000_000_000_000
Changed = Callable[..., catalogue.Catalogue]


@pytest.fixture(autouse=True)
async def clock_stands(db: None) -> None:
    database.freeze(NOW)


@pytest.fixture
def changed(tmp_path: Path) -> Changed:
    """The default catalogue with parts of its text replaced."""

    def make(*pieces: tuple[str, str]) -> catalogue.Catalogue:
        text = DEFAULT_CATALOGUE.read_text()
        for old, new in pieces:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / "catalogue.toml"
        path.write_text(text)
        return catalogue.load(path)

    return make


async def said(new: catalogue.Catalogue) -> list[tuple[str, str]]:
    return sorted((each.what, each.text) for each in await preview(Actor.operator(), new))


async def old_key(team: Team, days: int, name: str, **changes: object) -> ApiKey:
    database.freeze(NOW - days * DAY)
    made = (await make_key(team, name, **changes)).key
    database.freeze(NOW)
    return made


def named(team: Team, key: ApiKey, rest: str) -> str:
    return f"{team.slug}, {key.name} ({key.id}) {rest}"


async def test_the_same_catalogue_affects_no_key(team: Team, changed: Changed) -> None:
    await old_key(team, 200, "Old")
    assert await said(changed()) == [("catalogue", "nothing would be otherwise for 1 living key")]


async def test_keys_that_would_become_due_or_overdue_are_named(team: Team, changed: Changed) -> None:
    late, soon = await old_key(team, 40, "late"), await old_key(team, 20, "soon")
    await old_key(team, 5, "far")
    await old_key(team, 400, "overdue already")
    new = changed(
        ('title = "Production"\nprefix = "live"\nrotate_every_days = 90', 'title = "P"\nprefix = "live"\nrotate_every_days = 30')
    )
    assert await said(new) == [
        ("due soon", named(team, soon, f"would be due soon for rotation: by {rfc3339(soon.created_at + 30 * DAY)}")),
        ("overdue", named(team, late, f"would be overdue for rotation: by {rfc3339(late.created_at + 30 * DAY)}")),
    ]


async def test_lifetimes_beyond_the_new_maximum_are_listed_and_kept(team: Team, changed: Changed) -> None:
    long = (await make_key(team, "long", environment="temporary", expires_at=NOW + 60 * DAY)).key
    await make_key(team, "short", environment="temporary", expires_at=NOW + 5 * DAY)
    endless = (await make_key(team, "endless", environment="staging")).key
    new = changed(
        ("max_lifetime_days = 90", "max_lifetime_days = 7"),
        ('title = "Staging"\nprefix = "test"', 'title = "Staging"\nprefix = "test"\nmust_expire = true\nmax_lifetime_days = 30'),
    )
    assert await said(new) == [
        (
            "maximum",
            named(team, long, f"lives until {rfc3339(NOW + 60 * DAY)}, beyond the 7 days from its beginning; it keeps that end"),
        ),
        ("no expiry", named(team, endless, "has no expiry, which new keys of staging must have; it keeps none")),
    ]
    assert (await keys.get(team.owner, long.id)).expires_at == NOW + 60 * DAY


async def test_permissions_and_environments_that_would_be_removed_are_listed(team: Team, changed: Changed) -> None:
    key = (await make_key(team, "holder", permissions=("pdf.read", "template.read", "template.write"))).key
    staged = (await make_key(team, "staged", environment="development", permissions=("pdf.read",))).key
    new = changed(
        ('"template.write" = "Create and change templates."\n', ""),
        ("[environments.development]", "[environments.laboratory]"),
        ('environment = "development"', 'environment = "laboratory"'),
    )
    found = dict(await said(new))
    assert found["permission"] == named(
        team, key, "would hold template.write, no longer offered: it verifies as before, no new key gets it"
    )
    assert found["environment"] == named(
        team, staged, "would run in development, no longer offered: it verifies as before and cannot be rotated"
    )


async def test_expired_and_revoked_keys_are_left_out_and_nothing_is_written(team: Team, other_team: Team, changed: Changed) -> None:
    revoked, expired = await old_key(team, 40, "revoked"), await old_key(team, 40, "expired")
    await keys.update(team.owner, expired.id, {"expires_at": NOW + 1})
    await keys.revoke(team.owner, revoked.id, Reason.OTHER)
    theirs = await old_key(other_team, 41, "theirs")
    database.freeze(NOW + 1)
    tables = ("api_key", "audit_entry", "workspace", "notice")
    before = [await database.fetch(f"SELECT * FROM {table} ORDER BY 1") for table in tables]
    bound = catalogue.current()
    new = changed(('prefix = "live"\nrotate_every_days = 90', 'prefix = "live"\nrotate_every_days = 30'))
    assert [text.split(")")[0] for _, text in await said(new)] == [f"rival, theirs ({theirs.id}"]
    assert catalogue.current() is bound
    assert [await database.fetch(f"SELECT * FROM {table} ORDER BY 1") for table in tables] == before


async def test_only_the_operator_may_run_it(team: Team) -> None:
    with pytest.raises(NotAllowed):
        await preview(team.owner, catalogue.current())
