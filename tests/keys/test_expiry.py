"""Expiry: exact to the millisecond, final, extendable up to the maximum while the key is live, unaffected by the catalogue."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import pytest

from app import catalogue, database, runtime
from app.catalogue import Catalogue
from app.clock import DAY
from app.errors import Conflict, ValidationFailed
from app.keys import service as keys
from app.keys.key import RotationDue, Status
from app.rotations import service as rotations
from tests.conftest import Team, make_key
from tests.support.access import seen
from tests.support.callers import use

NOW = 1_793_000_000_000_000
MAXIMUM = 90 * DAY


@pytest.fixture(autouse=True)
async def clock_stands(db: None) -> None:
    database.freeze(NOW)


@pytest.fixture
def offered(opened: None) -> Catalogue:
    """The catalogue of this test run."""
    return catalogue.current()


def offer(before: Catalogue, environment: str, **changes: object) -> None:
    """The same catalogue with one environment changed."""
    changed = replace(before.environments[environment], **changes)  # type: ignore[arg-type]
    runtime.put(replace(before, environments=MappingProxyType({**before.environments, environment: changed})))


def until(instant: int | None) -> dict[str, int | None]:
    return {"expires_at": instant}


async def fault(key_id: str, team: Team, instant: int | None) -> str:
    with pytest.raises(ValidationFailed) as refused:
        await keys.update(team.owner, key_id, until(instant))
    (field,) = refused.value.fields
    assert field.field == "expiresAt"
    return field.code


async def test_a_live_key_is_extended_up_to_its_maximum_and_not_a_microsecond_further(team: Team) -> None:
    key = (await make_key(team, environment="temporary", expires_at=NOW + DAY)).key
    database.freeze(NOW + DAY - 1)
    assert await fault(key.id, team, NOW + MAXIMUM + 1) == "TOO_LATE"
    assert await fault(key.id, team, None) == "REQUIRED"
    assert (await keys.update(team.owner, key.id, until(NOW + MAXIMUM))).expires_at == NOW + MAXIMUM


@pytest.mark.parametrize("late", [0, 1])
async def test_expired_is_final(team: Team, late: int) -> None:
    key = (await make_key(team, environment="temporary", expires_at=NOW + DAY)).key
    database.freeze(NOW + DAY + late)
    for change in (until(NOW + 2 * DAY), {"name": "Again"}):
        with pytest.raises(Conflict, match="expired, which is final"):
            await keys.update(team.owner, key.id, change)
    with pytest.raises(Conflict):
        await rotations.start(team.editor, key.id)
    for act in (keys.suspend, keys.resume):
        with pytest.raises(Conflict):
            await act(team.editor, key.id)


async def test_an_expired_key_stays_readable_with_its_history(team: Team) -> None:
    key = (await make_key(team, "Visitor", environment="temporary", expires_at=NOW + DAY)).key
    await use(key.id)
    database.freeze(NOW + 400 * DAY)
    found = await keys.get(team.viewer, key.id)
    assert (found.name, found.status(NOW + 400 * DAY), found.expires_at) == ("Visitor", Status.EXPIRED, NOW + DAY)
    assert await keys.count(await seen(team.viewer, team.slug)) == 1


async def test_the_maximum_counts_from_the_first_key_of_the_lineage_over_all_rotations(team: Team) -> None:
    key = (await make_key(team, environment="temporary", expires_at=NOW + 30 * DAY)).key
    for days in (10, 20):
        database.freeze(NOW + days * DAY)
        run = (await rotations.start(team.editor, key.id)).progress
        await use(run.successor.id)
        await rotations.complete(team.editor, run.rotation.id, force=True)
        key = run.successor
        assert key.expires_at == NOW + 30 * DAY
    assert await fault(key.id, team, NOW + MAXIMUM + 1) == "TOO_LATE"
    assert (await keys.update(team.owner, key.id, until(NOW + MAXIMUM))).expires_at == NOW + MAXIMUM


async def test_the_old_keys_expiry_does_not_affect_its_successor(team: Team) -> None:
    key = (await make_key(team, expires_at=NOW + 5 * DAY)).key
    successor = (await rotations.start(team.editor, key.id)).progress.successor
    await keys.update(team.owner, successor.id, until(None))
    database.freeze(NOW + 6 * DAY)
    assert (await keys.get(team.owner, key.id)).status(NOW + 6 * DAY) is Status.EXPIRED
    assert (await keys.get(team.owner, successor.id)).status(NOW + 6 * DAY) is Status.ACTIVE


async def test_a_smaller_maximum_in_the_catalogue_shortens_no_lifetime(team: Team, offered: Catalogue) -> None:
    key = (await make_key(team, environment="temporary", expires_at=NOW + 80 * DAY)).key
    offer(offered, "temporary", max_lifetime_days=7)
    assert (await keys.get(team.owner, key.id)).expires_at == NOW + 80 * DAY
    renamed = await keys.update(team.owner, key.id, {"name": "Renamed", "expires_at": NOW + 80 * DAY})
    assert (renamed.name, renamed.expires_at) == ("Renamed", NOW + 80 * DAY)
    successor = (await rotations.start(team.editor, key.id)).progress.successor
    assert successor.expires_at == NOW + 80 * DAY
    assert await fault(key.id, team, NOW + 79 * DAY) == "TOO_LATE", "a new end obeys the new maximum"
    database.freeze(NOW + 79 * DAY)
    assert (await keys.get(team.owner, key.id)).status(NOW + 79 * DAY) is Status.ACTIVE


async def test_a_new_must_expire_rule_keeps_keys_without_expiry_live(team: Team, offered: Catalogue) -> None:
    key = (await make_key(team)).key
    offer(offered, "production", must_expire=True, max_lifetime_days=30)
    assert (await keys.update(team.owner, key.id, {"name": "Renamed"})).expires_at is None
    database.freeze(NOW + 60 * DAY)
    assert (await keys.get(team.owner, key.id)).status(NOW + 60 * DAY) is Status.ACTIVE
    assert await fault(key.id, team, NOW + 61 * DAY) == "TOO_LATE"


async def test_a_shorter_schedule_makes_a_key_due_and_ends_nothing(team: Team, offered: Catalogue) -> None:
    key = (await make_key(team)).key
    database.freeze(NOW + 40 * DAY)
    offer(offered, "production", rotate_every_days=30)
    found = await keys.get(team.owner, key.id)
    assert found.rotation_due(30, NOW + 40 * DAY) is RotationDue.OVERDUE
    assert (found.status(NOW + 40 * DAY), found.expires_at) == (Status.ACTIVE, None)


async def test_removing_an_environment_from_the_catalogue_ends_no_key(team: Team, offered: Catalogue) -> None:
    key = (await make_key(team)).key
    left = {name: each for name, each in offered.environments.items() if name != "production"}
    runtime.put(replace(offered, environments=MappingProxyType(left)))
    database.freeze(NOW + 400 * DAY)
    assert (await keys.get(team.owner, key.id)).status(NOW + 400 * DAY) is Status.ACTIVE
