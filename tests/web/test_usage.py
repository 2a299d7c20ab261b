"""Usage on pages: the range of the URL, totals of all time, and what an impossible range shows."""

from __future__ import annotations

import csv
import html
import io
import json
import re
from collections.abc import Callable

import pytest

from app import clock, database
from app.clock import DAY, HOUR
from app.rotations import service as rotations
from tests.conftest import Team, make_key
from tests.support.callers import use
from tests.web.conftest import Browser, signed_in

NOW = clock.parse_rfc3339("2026-11-29T12:30:00Z")


@pytest.fixture(autouse=True)
def noon(db: None) -> None:
    """Before anybody signs in: a session that begins later than now is void."""
    database.freeze(NOW)


@pytest.fixture
async def used(team: Team) -> str:
    """The path of a key that was used one hour, three days, 60 days and 200 days ago."""
    key = (await make_key(team, labels=("team=web", "pci"))).key
    for age in (HOUR, 3 * DAY, 60 * DAY, 200 * DAY):
        await use(key.id, at=NOW - age, permission="pdf.read")
    return f"/w/{team.slug}/settings/api-keys/{key.id}"


def figure(page: str, name: str) -> str:
    """The number on the card with this name."""
    found = re.search(rf'<p>{re.escape(name)}</p><p class="big[^"]*">([^<]*)</p>', page)
    assert found, name
    return found.group(1)


async def test_a_key_page_shows_each_range_by_its_link_and_again_after_a_reload(viewer: Browser, used: str) -> None:
    await viewer.open(used)
    links = dict(re.findall(r'<a href="([^"]*)"[^>]*>(24 hours|7 days|30 days|90 days|1 year)</a>', viewer.page))
    titles = {title: path.replace("&amp;", "&") for path, title in links.items()}
    counts = {"24 hours": "1", "7 days": "2", "30 days": "2", "90 days": "3", "1 year": "4"}
    assert titles.keys() == counts.keys()
    for title, count in counts.items():
        for _ in range(2):
            await viewer.open(titles[title])
            assert figure(viewer.page, f"Requests, {title}") == count
        assert viewer.page.count('<a href="' + titles[title].replace("&", "&amp;") + '" aria-current="true"') == 1
        assert f"{'Hours' if title == '24 hours' else 'Days'} are in UTC." in viewer.page
    assert 'hx-get="' + used + "?range=1y&amp;poll=" in viewer.page


async def test_a_week_can_be_shown_by_hours(viewer: Browser, used: str) -> None:
    await viewer.open(f"{used}?range=7d&by=hours")
    assert figure(viewer.page, "Requests, 7 days") == "2"
    assert "Hour (UTC)" in viewer.page and "26 Nov, 12:00" in viewer.page and "Hours are in UTC." in viewer.page
    assert f'href="{used}?range=7d&amp;by=days"' in viewer.page


async def test_chosen_days_include_the_first_and_the_last(viewer: Browser, used: str) -> None:
    first, last = (f"{clock.to_datetime(NOW - days * DAY):%Y-%m-%d}" for days in (60, 3))
    await viewer.open(f"{used}?range=custom")
    await viewer.send(used, **{"from": first, "to": last})
    assert viewer.shown is not None and viewer.shown.status_code == 200
    assert figure(viewer.page, "Requests, 58 days") == "2"
    assert f'value="{first}"' in viewer.page and f'value="{last}"' in viewer.page
    await viewer.open(f"{used}?range=custom&from={last}&to={last}&by=hours")
    assert figure(viewer.page, "Requests, 1 day") == "1"


@pytest.mark.parametrize(
    ("query", "faults"),
    [
        ("range=custom&from=&to=2026-11-28", {"from": "Enter the first day."}),
        ("range=custom&from=2026-11-01&to=soon", {"to": "This is not a date like 2026-11-29."}),
        ("range=custom&from=2026-11-20&to=2026-11-10", {"to": "The last day is before the first day."}),
        ("range=custom&from=2026-12-20&to=2026-12-21", {"from": "not begun", "to": "not begun"}),
        ("range=custom&from=1980-01-01&to=2026-11-10", {"from": "at most 1,000 days"}),
        ("range=custom&from=1960-01-01&to=2026-11-10", {"from": "This is not a date like 2026-11-29."}),
        ("range=custom&from=2026-01-01&to=2026-01-02&by=hours", {"by": "kept for 90 days"}),
        ("range=custom&from=2026-11-01&to=2026-11-20&by=hours", {"by": "at most 14 days"}),
    ],
)
async def test_impossible_days_are_refused_at_their_fields(
    viewer: Browser, used: str, team: Team, query: str, faults: dict[str, str]
) -> None:
    for path in (used, f"/w/{team.slug}"):
        answer = await viewer.open(f"{path}?{query}")
        assert answer.status_code == 422
        shown = dict(re.findall(r'<p class="fault" id="(\w+)-fault">([^<]*)</p>', viewer.page))
        assert shown.keys() == faults.keys()
        assert all(words in shown[name] for name, words in faults.items())
        assert "Requests, 30 days" in viewer.page


@pytest.mark.parametrize("query", ["range=11d", "range=7d&by=minutes", "range=90d&by=hours", "range=1y&by=hours"])
async def test_an_impossible_range_in_the_address_is_named_and_the_last_30_days_are_shown(
    viewer: Browser, used: str, query: str
) -> None:
    answer = await viewer.open(f"{used}?{query}")
    assert answer.status_code == 422 and 'role="alert"' in viewer.page
    assert figure(viewer.page, "Requests, 30 days") == "2"


async def test_a_key_page_shows_totals_of_all_time_for_the_key_and_for_its_line(viewer: Browser, used: str, team: Team) -> None:
    run = (await rotations.start(team.editor, used.rpartition("/")[2])).progress
    await use(run.successor.id, at=NOW)
    await viewer.open(used)
    assert figure(viewer.page, "Requests, all time") == "4"
    assert "5 requests of all time" in viewer.page and "6 months ago" in viewer.page
    await viewer.open(used.replace(run.predecessor.id, run.successor.id))
    assert figure(viewer.page, "Requests, all time") == "1"
    assert "5 requests of all time" in viewer.page


async def test_the_overview_splits_a_range_by_permission_outcome_and_caller(viewer: Browser, used: str, team: Team) -> None:
    await viewer.open(f"/w/{team.slug}?range=90d")
    assert "Requests, 90 days" in viewer.page and "100%" in viewer.page
    assert all(words in viewer.page for words in ("By permission, 90 days", "By outcome, 90 days", "By caller", "203.0.113.0/24"))
    assert "all requests since the first, also outside this period" in viewer.page
    await viewer.open(f"/w/{team.slug}?range=custom&from=2026-11-01&to=2026-11-02")
    assert "No requests in this period." in viewer.page


async def test_the_usage_of_a_key_is_downloaded_as_the_page_shows_it(viewer: Browser, used: str) -> None:
    await viewer.open(f"{used}?range=90d")
    answer = await viewer.open(re.search(r'href="([^"]*usage\.csv[^"]*)"', viewer.page)[1])  # type: ignore[index]
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    key_id = used.rpartition("/")[2]
    name = f"acme-{key_id}-usage-2026-09-01-to-2026-11-29.csv"
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [(row["at"][:10], row["requests"]) for row in rows] == [("2026-09-30", "1"), ("2026-11-26", "1"), ("2026-11-29", "1")]
    assert rows[0] == {
        "at": "2026-09-30T00:00:00.000000Z", "granularity": "DAY", "apiKey": key_id, "name": "Production server",
        "labels": "pci= team=web", "permission": "pdf.read", "outcome": "VALID", "successful": "True", "requests": "1",
    }  # fmt: skip


async def test_the_usage_of_a_workspace_is_downloaded_with_all_its_keys_and_no_others(
    viewer: Browser, used: str, team: Team, other_team: Team
) -> None:
    await use((await make_key(other_team)).key.id, at=NOW)
    for number in range(9):
        await use((await make_key(team, f"Key {number}")).key.id, at=NOW - number * HOUR)
    answer = await viewer.open(f"/w/{team.slug}/usage.jsonl?range=24h")
    assert answer.headers["content-type"] == "application/jsonl"
    rows = [json.loads(line) for line in answer.text.splitlines()]
    assert sorted(row["name"] for row in rows) == sorted(["Production server", *(f"Key {number}" for number in range(9))])
    assert all((row["granularity"], row["successful"], row["requests"]) == ("HOUR", True, 1) for row in rows)
    assert {row["permission"] for row in rows} == {None, "pdf.read"}


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "＝1+1"])
async def test_no_name_in_a_download_is_a_formula(viewer: Browser, team: Team, name: str) -> None:
    key = (await make_key(team, name)).key
    await use(key.id)
    answer = await viewer.open(f"/w/{team.slug}/usage.csv")
    assert [row["name"] for row in csv.DictReader(io.StringIO(answer.text))] == [f"'{name}"]
    (row,) = (await viewer.open(f"/w/{team.slug}/usage.jsonl")).text.splitlines()
    assert json.loads(row)["name"] == name


async def test_downloads_are_refused_to_strangers_and_for_impossible_ranges(
    viewer: Browser, used: str, browse: Callable[..., Browser], other_team: Team
) -> None:
    stranger = await signed_in(browse(), other_team.owner)
    for path in (f"{used}/usage.csv", "/w/acme/usage.jsonl"):
        assert (await stranger.open(path)).status_code == 404
        assert (await browse().open(path)).status_code == 303
        assert (await viewer.open(f"{path}?range=custom&from=x&to=2026-11-28")).status_code == 422
        assert (await viewer.open(f"{path}?range=30d&by=hours")).status_code == 200
    assert (await viewer.open("/w/acme/settings/api-keys/key_unknown/usage.csv")).status_code == 404


@pytest.mark.parametrize(
    ("ages", "query", "words"),
    [
        ([1, 2, 3, 8, 12], "?range=7d", "50% more than in the 6 days before, without today"),
        ([0, 0, 0, 1, 7, 12], "?range=7d", "50% fewer than in the 6 days before, without today"),
        ([1, 12], "?range=7d", "As many as in the 6 days before, without today"),
        ([1, 2, 29, 30, 58], "", "50% more than in the 29 days before, without today"),
        ([10, 13, 16], "?range=custom&from={11}&to={10}", "As many as in the 2 days before"),
        ([1, 2], "?range=7d", None),
        ([8, 12], "?range=7d", None),
        ([0, 8, 12], "?range=7d", None),
        ([1, 2, 7], "?range=7d", None),
        ([1, 13], "?range=7d", None),
    ],
)
async def test_the_overview_compares_with_the_period_before_where_both_are_known(
    viewer: Browser, team: Team, ages: list[int], query: str, words: str | None
) -> None:
    key = (await make_key(team)).key
    for age in ages:
        await use(key.id, at=NOW - age * DAY)
    days = {str(age): f"{clock.to_datetime(NOW - age * DAY):%Y-%m-%d}" for age in (10, 11)}
    for text, day in days.items():
        query = query.replace(f"{{{text}}}", day)
    found = re.findall(r"[^>]*(?:more|fewer|many) (?:than|as) in the [^<]*", (await viewer.open(f"/w/{team.slug}{query}")).text)
    assert [html.unescape(each) for each in found] == ([words] if words else [])


async def test_the_comparison_of_hours_leaves_out_the_one_that_is_not_over(viewer: Browser, team: Team) -> None:
    key = (await make_key(team)).key
    for age in (0, 1, 2, 3, 26, 46):
        await use(key.id, at=NOW - age * HOUR)
    page = (await viewer.open(f"/w/{team.slug}?range=24h")).text
    assert "50% more than in the 23 hours before, without this hour" in page
