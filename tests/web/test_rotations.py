"""The pages of a rotation: begun once, watched, finished on evidence or by who says it twice; and the stream behind them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from app import clock, database
from app.errors import NotFound, Unavailable
from app.keys import service as keys
from app.keys.key import Reason, Status
from app.rotations import service as rotations
from app.rotations.rotation import OnDeadline, State
from app.web import live
from app.web.live import Live
from tests.conftest import Team, make_key, make_team
from tests.web.conftest import Browser, signed_in

LIST = "/w/acme/settings/api-keys"
SECRET = re.compile(r"fl_live_[0-9A-Za-z]{38}")


async def used(key_id: str, ago: int = 0) -> None:
    async with database.transaction():
        await database.fetch("UPDATE key_last_used SET last_used_at = {} WHERE key = {}", await database.now() - ago, key_id)


async def begin(browser: Browser, key_id: str, **fields: str) -> str:
    """Through the form; the new secret."""
    path = f"{LIST}/{key_id}/rotation"
    await browser.open(path)
    answer = await browser.send(path, **fields)
    assert answer.status_code == 201, answer.text
    return SECRET.findall(answer.text)[0]


async def test_a_rotation_is_begun_with_its_terms_and_the_secret_shown_once(editor: Browser, team: Team) -> None:
    key = (await make_key(team)).key
    now = await database.now()
    database.freeze(now)
    secret = await begin(editor, key.id, days="14", onDeadline="REVOKE", quiet="21600")
    run = await rotations.of_key(team.owner, key.id)
    assert run is not None and run.state is State.ISSUED
    assert (run.rotation.deadline, run.rotation.on_deadline) == (now + 14 * clock.DAY, OnDeadline.REVOKE)
    assert run.rotation.quiet_period == 6 * clock.HOUR
    for path in (f"{LIST}/{key.id}/rotation", f"{LIST}/{run.successor.id}/rotation", f"{LIST}/{key.id}", LIST):
        assert (await editor.open(path)).status_code == 200
        assert secret[12:] not in editor.page
    assert "Rotating" in editor.page


async def test_the_same_form_sent_again_is_the_same_run_and_offers_another_secret_until_the_first_is_used(
    editor: Browser, team: Team
) -> None:
    key, path = (await make_key(team)).key, ""
    path = f"{LIST}/{key.id}/rotation"
    await editor.open(path)
    sent = editor.form(path).filled()
    first = SECRET.findall((await editor.post(path, sent, **editor.from_here)).text)[0]
    begun = await rotations.of_key(team.owner, key.id)
    second = await editor.post(path, sent, **editor.from_here)
    assert (second.status_code, second.headers["location"]) == (303, path)
    run = await rotations.of_key(team.owner, key.id)
    assert begun is not None and run is not None and begun.rotation.id == run.rotation.id and begun.successor == run.successor
    await editor.open(path)
    replaced = await editor.send(f"{path}/replacement")
    assert SECRET.findall(replaced.text)[0] != first
    run = await rotations.of_key(team.owner, key.id)
    assert run is not None
    await used(run.successor.id)
    third = await editor.post(path, sent, **editor.from_here)
    assert (third.status_code, third.headers["location"]) == (303, path)
    other = await editor.post(path, [(n, "else" if n == "once" else v) for n, v in sent], **editor.from_here)
    assert other.status_code == 409


@pytest.mark.parametrize("fields", [{"days": "5"}, {"days": "-1"}, {"days": "x" * 99}, {"days": "9" * 40}])
async def test_terms_that_were_not_offered_are_refused(editor: Browser, team: Team, fields: dict[str, str]) -> None:
    key = (await make_key(team)).key
    path = f"{LIST}/{key.id}/rotation"
    await editor.open(path)
    assert (await editor.send(path, **fields)).status_code == 422
    assert await rotations.of_key(team.owner, key.id) is None


@pytest.mark.parametrize("end", ["suspended", "revoked"])
async def test_a_key_that_is_not_active_is_not_rotated_and_the_page_says_why(editor: Browser, team: Team, end: str) -> None:
    key = (await make_key(team)).key
    await (keys.suspend(team.owner, key.id) if end == "suspended" else keys.revoke(team.owner, key.id, Reason.OTHER))
    answer = await editor.open(f"{LIST}/{key.id}/rotation")
    assert answer.status_code == 409 and f"This key is {end}" in answer.text


async def test_finishing_before_it_is_ready_asks_once_more_and_a_ready_one_does_not(editor: Browser, team: Team) -> None:
    key = (await make_key(team)).key
    await used(key.id)
    await begin(editor, key.id, quiet="900")
    path = f"{LIST}/{key.id}/rotation"
    await editor.open(path)
    refused = await editor.send(f"{path}/completion")
    assert refused.status_code == 409 and "not silent yet" in refused.text
    run = await rotations.of_key(team.owner, key.id)
    assert run is not None
    await used(run.successor.id)
    await used(key.id, ago=901 * clock.SECOND)
    await editor.open(path)
    assert "nobody would be cut off" in editor.page
    assert (await editor.send(f"{path}/completion")).status_code == 303
    assert (await keys.get(team.owner, key.id)).status(await database.now()) is Status.REVOKED
    assert "The old key is refused; the new one has taken over." in (await editor.open(path)).text


async def test_cancelling_a_used_successor_asks_once_more(editor: Browser, team: Team) -> None:
    key = (await make_key(team)).key
    await begin(editor, key.id)
    path = f"{LIST}/{key.id}/rotation"
    run = await rotations.of_key(team.owner, key.id)
    assert run is not None
    await used(run.successor.id)
    await editor.open(path)
    refused = await editor.send(f"{path}/cancellation")
    assert refused.status_code == 409 and "in use already" in refused.text
    assert (await editor.send(f"{path}/cancellation", force="yes")).status_code == 303
    again = await rotations.of_key(team.owner, key.id)
    assert again is not None and again.state is State.CANCELLED


async def test_more_time_is_given_up_to_thirty_days_after_the_start(editor: Browser, team: Team) -> None:
    key = (await make_key(team)).key
    await begin(editor, key.id)
    path = f"{LIST}/{key.id}/rotation"
    for _ in range(3):
        await editor.open(path)
        await editor.send(f"{path}/extension", days="14")
    run = await rotations.of_key(team.owner, key.id)
    assert run is not None and run.rotation.deadline == run.rotation.started_at + 30 * clock.DAY


async def test_a_viewer_watches_and_changes_nothing(browse: Any, viewer: Browser, team: Team) -> None:
    key = (await make_key(team)).key
    await begin(await signed_in(browse(), team.editor), key.id)
    path = f"{LIST}/{key.id}/rotation"
    await viewer.open(path)
    assert (
        "Watch it take over" in viewer.page and "Revoke the old key now" not in viewer.page and "Cancel rotation" not in viewer.page
    )
    token = [(name, value) for name, value in viewer.form("/sign-out").values if name == "csrf"]
    for end in ("", "/completion", "/cancellation", "/extension", "/dismissals", "/replacement"):
        assert (await viewer.post(path + end, token, **viewer.from_here)).status_code == 403, end


async def test_the_plan_stays_within_its_limit_while_its_only_key_is_rotated(browser: Browser, db: None) -> None:
    free = await make_team("small", plan="free")
    key = (await make_key(free)).key
    owner = await signed_in(browser, free.owner)
    path = f"/w/small/settings/api-keys/{key.id}/rotation"
    await owner.open(path)
    assert (await owner.send(path)).status_code == 201
    assert "1 of 1 key on Free, one being rotated" in re.sub(r"\s+", " ", (await owner.open("/w/small")).text)


class TestStream:
    """What a page that watches is sent."""

    @pytest.fixture
    def stopping(self, monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
        monkeypatch.setattr(live, "TICK_SECONDS", 0.01)
        return asyncio.Event()

    async def test_it_sends_a_part_when_it_has_changed_and_only_then(self, editor: Browser, stopping: asyncio.Event) -> None:
        seen = iter([1, 1, 2, 2, 2, 3])

        async def look() -> tuple[object, str]:
            number = next(seen, None)
            if number is None:
                stopping.set()
            return number, f"<p>\n{number}</p>"

        events = [event async for event in _events(Live(stopping), editor.token or "", look)]
        assert events[:3] == [f"data: <p>\ndata: {number}</p>\n\n" for number in (1, 2, 3)]

    async def test_it_ends_with_the_session(self, editor: Browser, stopping: asyncio.Event, team: Team) -> None:
        looked = 0

        async def look() -> tuple[object, str]:
            nonlocal looked
            looked += 1
            if looked == 3:
                async with database.transaction():
                    await database.fetch("DELETE FROM session")
            return looked, "x"

        events = [event async for event in _events(Live(stopping), editor.token or "", look)]
        assert (looked, len(events)) == (3, 3)

    async def test_it_ends_when_the_reader_may_no_longer_look(self, editor: Browser, stopping: asyncio.Event) -> None:
        async def look() -> tuple[object, str]:
            raise NotFound("rotation")

        assert [event async for event in _events(Live(stopping), editor.token or "", look)] == []

    async def test_there_are_not_more_than_a_node_can_serve(
        self, editor: Browser, stopping: asyncio.Event, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(live, "MOST", 1)
        streams = Live(stopping)

        async def look() -> tuple[object, str]:
            return 1, "x"

        first = _events(streams, editor.token or "", look)
        assert await anext(first) == "data: x\n\n"
        with pytest.raises(Unavailable):
            streams.stream(editor.token or "", look)
        stopping.set()
        assert [event async for event in first] == []
        stopping.clear()
        streams.stream(editor.token or "", look)


def _events(streams: Live, token: str, look: Any) -> AsyncIterator[Any]:
    return streams.stream(token, look).iterator  # type: ignore[attr-defined,no-any-return]
