"""How many requests are logged by a fold, and kept."""

from __future__ import annotations

import pytest

from app import database, ids
from app.clock import DAY, HOUR
from app.keys import service as keys
from app.keys.key import ApiKey
from app.paging import Window
from app.request_log import retention, service, store
from app.request_log.request import MOST_ACCEPTED, MOST_REFUSED, REFUSED_KEPT, REQUEST_ID, RequestFilter
from app.usage import log, merging
from app.usage.counters import COUNTED, CounterBatch, Use
from app.usage.merging import MOST_ACCEPTED_AT_ONCE, MOST_REFUSED_AT_ONCE, Merger
from tests.conftest import Team, make_key
from tests.support.access import seen

NOW = 1_790_000_000_000_000


def use(key_id: str, at: int, outcome: str = "VALID") -> Use:
    return Use(key_id, at - at % HOUR, "pdf.read", outcome, "", "curl", 1, at, at, None, ids.new(REQUEST_ID), None)


async def add(*uses: Use) -> None:
    """Past the limits of a fold."""
    for each in uses:
        await log.current().append([each])
        await database.settle()


async def logged(team: Team, key: ApiKey, wanted: RequestFilter = RequestFilter()) -> list[int]:
    access = await seen(team.owner, team.slug)
    found, window = list[int](), Window(100)
    while len(page := (await service.requests(access, key, window, wanted)).items) == 100:
        found += [each.at for each in page]
        window = Window(100, after=(page[-1].at, page[-1].id))
    return found + [each.at for each in page]


@pytest.fixture
async def key(team: Team) -> ApiKey:
    await log.current().open()
    return (await make_key(team)).key


async def test_the_newest_of_a_key_are_kept_and_refusals_for_thirty_days(
    team: Team, key: ApiKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "MOST_ACCEPTED", 3)
    monkeypatch.setattr(store, "MOST_REFUSED", 4)
    old = NOW - REFUSED_KEPT
    await add(*(use(key.id, NOW + number) for number in range(6)), *(use(key.id, NOW + number, "EXPIRED") for number in range(7)))
    await add(use(key.id, old - 1, "EXPIRED"), use(key.id, old - 1))
    database.freeze(NOW)
    assert await retention.is_wanted(NOW)
    await retention.tidy(NOW)
    assert await logged(team, key, RequestFilter(accepted=True)) == [NOW + 5, NOW + 4, NOW + 3]
    assert await logged(team, key, RequestFilter(accepted=False)) == [NOW + 6, NOW + 5, NOW + 4, NOW + 3]
    assert not await retention.is_wanted(NOW + DAY)
    assert await retention.is_wanted(NOW + 31 * DAY)


async def test_old_refusals_go_even_if_the_key_has_few(team: Team, key: ApiKey) -> None:
    old = NOW - REFUSED_KEPT
    await add(use(key.id, old - 1, "EXPIRED"), use(key.id, old, "EXPIRED"), use(key.id, old - 1))
    await retention.tidy(NOW)
    assert await logged(team, key) == [old, old - 1]


@pytest.mark.parametrize("step", [50, 7])
async def test_a_large_fold_logs_the_newest_of_each_key_in_turn(
    team: Team, key: ApiKey, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """A flood of one key does not keep requests of another out, and the counts have all."""
    monkeypatch.setattr(merging, "MOST_IN_STEP", step, raising=False)
    other = (await make_key(team, "Quiet")).key
    flood = [use(key.id, NOW + number, "EXPIRED") for number in range(MOST_REFUSED_AT_ONCE * 2)]
    quiet = [use(other.id, NOW, "EXPIRED"), use(other.id, NOW + 1, "EXPIRED"), use(other.id, NOW)]
    await log.current().append(flood + quiet)
    assert len(await logged(team, key)) == MOST_REFUSED_AT_ONCE - 2
    assert (await logged(team, key))[0] == NOW + len(flood) - 1
    assert await logged(team, other) == [NOW + 1, NOW, NOW]
    (hour,) = await database.fetch("SELECT requests FROM usage_hour WHERE key = {}", key.id)
    assert hour["requests"] == len(flood)


def test_no_more_are_logged_at_once_than_allowed_and_each_key_gets_its_turn() -> None:
    merger = Merger()
    merger.add([use(f"key_{number % 60}", NOW + number) for number in range(3_000)])
    chosen = merger.logged()
    assert len(chosen) == MOST_ACCEPTED_AT_ONCE and len({each.key_id for each in chosen}) == 60
    assert min(each.first_at or 0 for each in chosen) >= NOW + 3_000 - 2 * 60
    assert {each.requests for each in chosen} == {COUNTED}


def test_what_is_logged_is_counted_once() -> None:
    merger = Merger()
    merger.add([use(f"key_{number % 150}", NOW + number) for number in range(3_000)])
    counted = [*merger.take_uses()]
    assert sum(each.requests for each in counted) == 3_000
    both = CounterBatch()
    for each in counted + merger.logged():
        both.add(each)
    assert sum(both.hours.values()) == sum(count for *_, count in both.callers.values()) == 3_000


def test_a_key_has_no_more_than_it_may_keep_in_a_fold() -> None:
    merger = Merger()
    merger.add([use("key_a", NOW + number) for number in range(MOST_ACCEPTED * 2)])
    merger.add([use("key_a", NOW + number, "EXPIRED") for number in range(MOST_REFUSED * 2)])
    chosen = merger.logged()
    assert len([each for each in chosen if each.outcome == "VALID"]) == MOST_ACCEPTED
    assert len(chosen) <= MOST_ACCEPTED + MOST_REFUSED_AT_ONCE


async def test_rows_of_the_log_from_before_there_were_request_ids_are_counted(team: Team, key: ApiKey) -> None:
    row = f'[["{key.id}",{NOW - NOW % HOUR},"pdf.read","VALID","","curl",2,{NOW},{NOW},null]]'
    async with database.transaction():
        await database.fetch("INSERT INTO usage_log (merged, uses) VALUES (0, {})", row)
    assert await logged(team, key) == []
    (hour,) = await database.fetch("SELECT requests FROM usage_hour WHERE key = {}", key.id)
    assert hour["requests"] == 2


async def test_filters_find_what_they_say(team: Team, key: ApiKey) -> None:
    one = use(key.id, NOW, "PERMISSION_DENIED")._replace(permission="account.read", user_agent="Billing", network="203.0.113.0/24")
    two = use(key.id, NOW + 1)
    await add(one, two)
    for wanted, expected in (
        (RequestFilter(accepted=True), [NOW + 1]),
        (RequestFilter(outcomes=("PERMISSION_DENIED", "EXPIRED")), [NOW]),
        (RequestFilter(permission="account.read"), [NOW]),
        (RequestFilter(search="billing"), [NOW]),
        (RequestFilter(search="203.0.113"), [NOW]),
        (RequestFilter(search="%"), []),
        (RequestFilter(since=NOW + 1), [NOW + 1]),
        (RequestFilter(until=NOW + 1), [NOW]),
        (RequestFilter(), [NOW + 1, NOW]),
    ):
        assert await logged(team, key, wanted) == expected
        access = await seen(team.owner, team.slug)
        assert await service.count(access, await keys.find(access, key.id), wanted) == len(expected)
