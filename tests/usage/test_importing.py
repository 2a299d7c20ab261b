"""Imports of access logs: each request is counted once, whatever the log is called, and however often it is imported."""

from __future__ import annotations

import asyncio
import gzip
import random
from contextlib import closing
from pathlib import Path

import pytest

from app import clock, database
from app.errors import Unavailable
from app.usage import importing, reports
from app.usage.importing import Imported
from app.usage.log_file import LogFile
from app.usage.reports import BATCHES_KEPT
from tests.conftest import Team, make_key
from tests.support.access_log import line, write
from tests.verification.conftest import NOW, counters, last_used

SUCCEEDED, FAILED = "SUCCEEDED", "FAILED"


@pytest.fixture
async def key(team: Team, monkeypatch: pytest.MonkeyPatch) -> str:
    """A key; batches of logs have three requests in these tests."""
    database.freeze(NOW)
    monkeypatch.setattr(importing, "BATCH", 3)
    return (await make_key(team)).key.id


async def imported(log: Path) -> Imported:
    with closing(LogFile(log)) as file:
        return await importing.take(file, lambda: None)


def counted(found: Imported) -> tuple[int, int, int]:
    return found.succeeded, found.failed, found.earlier


def requests(key_id: str, number: int) -> list[str]:
    """Every fourth has failed."""
    return [line(key_id, NOW - n * clock.SECOND, 500 if n % 4 == 3 else 200) for n in range(number)]


@pytest.mark.parametrize("number", [1, 2, 3, 4, 6, 20])
async def test_a_log_that_is_imported_again_under_any_name_is_counted_once(key: str, tmp_path: Path, number: int) -> None:
    log = write(tmp_path / "keydesk.log", requests(key, number))
    failed = number // 4
    assert counted(await imported(log)) == (number - failed, failed, 0)
    exact = await counters()
    assert sum(exact.values()) == number
    renamed = log.rename(tmp_path / "keydesk.log.1")
    packed = tmp_path / "keydesk.log.2.gz"
    packed.write_bytes(gzip.compress(renamed.read_bytes()))
    for again in (renamed, packed):
        assert counted(await imported(again)) == (0, 0, number)
    assert await counters() == exact


async def test_a_log_that_grows_is_continued_and_a_line_that_is_being_written_waits(key: str, tmp_path: Path) -> None:
    lines, log = requests(key, 30), tmp_path / "keydesk.log"
    whole = "".join(f"{each}\n" for each in lines).encode()
    chance, total = random.Random(1), 0
    for end in [*sorted(chance.sample(range(len(whole)), 12)), len(whole)]:
        log.write_bytes(whole[:end])
        found = await imported(log)
        total += found.succeeded + found.failed
        assert total == found.lines == whole[:end].count(b"\n")
        assert found.complete is whole[:end].endswith(b"\n") or not end
    assert await counters() == {(key, "pdf.read", SUCCEEDED): 23, (key, "pdf.read", FAILED): 7}


async def test_many_that_import_a_growing_log_at_once_count_each_request_once(key: str, tmp_path: Path) -> None:
    lines = requests(key, 40)
    logs = [write(tmp_path / f"{number}.log", lines[:number]) for number in (40, 7, 23, 40, 38, 40)]
    found = await asyncio.gather(*(imported(log) for log in logs))
    assert sum(each.succeeded + each.failed for each in found) == 40
    assert [each.succeeded + each.failed + each.earlier for each in found] == [40, 7, 23, 40, 38, 40]
    assert await counters() == {(key, "pdf.read", SUCCEEDED): 30, (key, "pdf.read", FAILED): 10}


async def test_logs_with_the_same_requests_at_the_same_times_are_different_logs(key: str, tmp_path: Path) -> None:
    for name in ("edge-1.log", "edge-2.log"):
        assert counted(await imported(write(tmp_path / name, requests(key, 5)))) == (4, 1, 0)
    assert sum((await counters()).values()) == 10


async def test_invalid_lines_are_listed_by_number_and_affect_no_other(key: str, tmp_path: Path) -> None:
    good = line(key, NOW)
    lines = [
        '203.0.113.9 - - [29/Nov/2026:20:00:00 +0000] "GET / HTTP/1.1" 200 5',
        good,
        "",
        "\x00\xff",
        good[:-1],
        line(key, NOW, "000"),  # type: ignore[arg-type]
        line("key_" + "a" * 20, NOW),
        line(key, NOW, keydesk_permission="pdf.gone"),
        line(key, NOW - 31 * clock.DAY),
        line(key, NOW, time_iso8601="yesterday"),
        line(key, NOW, keydesk_request_id=""),
        line(key, NOW, 999),
        good.replace("}", ',"bytes":17}'),
    ]
    log = write(tmp_path / "keydesk.log", lines)
    found = await imported(log)
    assert counted(found) == (2, 0, 0)
    codes = {number: fault.code for number, fault in found.faults.items()}
    assert codes == {
        **dict.fromkeys((1, 3, 4, 5, 6, 10, 11), "INVALID_LINE"),
        7: "NOT_FOUND",
        8: "UNKNOWN_PERMISSION",
        9: "AT_OUT_OF_RANGE",
        12: "INVALID_STATUS",
    }
    assert found.rejected.total() == len(codes)
    assert counted(await imported(log)) == (0, 0, len(lines))
    assert await counters() == {(key, "pdf.read", SUCCEEDED): 2}


async def test_only_so_many_invalid_lines_are_listed_but_all_are_counted(
    key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "MOST_LISTED", 2)
    found = await imported(write(tmp_path / "keydesk.log", ["?"] * 10 + [line(key, NOW)]))
    assert (list(found.faults), found.rejected.total(), found.succeeded) == ([1, 2], 10, 1)


async def test_requests_that_keydesk_refused_or_has_counted_are_left_out(key: str, tmp_path: Path) -> None:
    unasked = {"keydesk_request_id": "", "keydesk_key_id": "", "keydesk_permission": "", "keydesk_outcome_follows": ""}
    lines = [line("", NOW, 401, **unasked), line(key, NOW, keydesk_outcome_follows=""), line(key, NOW), line("", NOW, **unasked)]
    found = await imported(write(tmp_path / "keydesk.log", lines))
    assert (found.lines, found.left_out, *counted(found)) == (4, 3, 1, 0, 0)
    assert sum((await counters()).values()) == 1


async def test_no_header_that_a_client_sends_keeps_its_request_from_being_counted(key: str, tmp_path: Path) -> None:
    sent = ["caf\xe9", '"},{"keyId":"', "\\", "\x01", "\xff\xfe", "x" * 8_000, ""]
    found = await imported(write(tmp_path / "keydesk.log", [line(key, NOW, http_user_agent=each) for each in sent]))
    assert counted(found) == (len(sent), 0, 0)


async def test_an_address_that_is_none_is_unknown(key: str, tmp_path: Path) -> None:
    await imported(write(tmp_path / "keydesk.log", [line(key, NOW, remote_addr="unix:")]))
    assert await last_used(key) == (NOW, None)


@pytest.mark.parametrize("cut", [1, 9, 200])
async def test_a_compressed_log_that_is_cut_off_is_continued_when_it_is_whole(key: str, tmp_path: Path, cut: int) -> None:
    log = tmp_path / "keydesk.log.gz"
    whole = gzip.compress("".join(f"{each}\n" for each in requests(key, 50)).encode())
    log.write_bytes(whole[:-cut])
    first = await imported(log)
    assert first.complete is False
    log.write_bytes(whole)
    second = await imported(log)
    assert second.complete is True
    assert first.succeeded + first.failed + second.succeeded + second.failed == 50
    assert sum((await counters()).values()) == 50


async def test_a_log_that_is_no_longer_remembered_is_still_counted_once(key: str, tmp_path: Path) -> None:
    log = write(tmp_path / "keydesk.log", requests(key, 5))
    await imported(log)
    exact = await counters()
    database.freeze(NOW + BATCHES_KEPT + 1)
    await reports.forget_old()
    found = await imported(log)
    assert (found.rejected, counted(found)) == ({"AT_OUT_OF_RANGE": 5}, (0, 0, 0))
    assert await counters() == exact


async def test_a_file_without_any_request_is_read_and_stores_nothing(key: str, tmp_path: Path) -> None:
    assert (await imported(write(tmp_path / "empty.log", []))).lines == 0
    found = await imported(write(tmp_path / "other.log", ["GET / 200", "GET / 404"]))
    assert (found.lines, found.rejected) == (2, {"INVALID_LINE": 2})
    assert await database.fetch("SELECT batch FROM usage_batch") == []


async def test_a_busy_database_is_waited_for(key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    take, left = reports.take, 3

    async def busy(*given: object) -> object:
        nonlocal left
        left -= 1
        answer = await take(*given)  # type: ignore[arg-type]
        if left >= 0:  # after it was counted, which the caller cannot know
            raise Unavailable(internal="busy")
        return answer

    monkeypatch.setattr(reports, "take", busy)
    monkeypatch.setattr(importing, "_PAUSE_SECONDS", 0)
    found = await imported(write(tmp_path / "keydesk.log", requests(key, 10)))
    assert sum(counted(found)) == 10
    assert sum((await counters()).values()) == 10
    monkeypatch.setattr(importing, "_PATIENCE_SECONDS", 0)
    left = 10**6
    with pytest.raises(Unavailable):
        await imported(write(tmp_path / "next.log", requests(key, 10)))


async def test_callers_are_kept_apart_by_the_minute_of_their_requests_not_of_the_import(
    key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.usage.counters.MOST_CALLERS_A_MINUTE", 2)
    lines = [line(key, NOW - (9 - n) * clock.MINUTE, remote_addr=f"10.0.{n}.1") for n in range(9)]
    await imported(write(tmp_path / "keydesk.log", lines))
    rows = await database.fetch("SELECT network FROM caller WHERE key = {}", key)
    assert {row["network"] for row in rows} == {f"10.0.{n}.0/24" for n in range(9)}
