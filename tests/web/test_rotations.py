"""The pages of a rotation: started once, watched live, completed on evidence or after confirmation; and their event stream."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from app import clock, database, live
from app.access.actor import Actor
from app.api import subscriptions
from app.errors import NotFound, TooManyAttempts, Unavailable
from app.keys import service as keys
from app.keys.key import Reason, Status
from app.live import Live, Subject
from app.rotations import queries as rotations_reading
from app.rotations import service as rotations
from app.rotations.rotation import OnDeadline, Progress, State
from app.sessions import service as sessions
from app.usage import store as usage_store
from app.usage.counters import CounterBatch
from app.web import rotations as pages
from app.web.framework import sse
from app.web.framework.session_auth import Visitor
from app.web.framework.sse import EventStreams
from tests.conftest import Team, make_key, make_team
from tests.support.access import at, seen
from tests.support.users import REQUEST
from tests.web.conftest import Browser, later, rows, signed_in

LIST = "/w/acme/settings/api-keys"
SECRET = re.compile(r"fl_live_[0-9A-Za-z]{38}")


async def used(key_id: str, ago: int = 0) -> None:
    async with database.transaction():
        await database.fetch("UPDATE key_last_used SET last_used_at = {} WHERE key = {}", await database.now() - ago, key_id)


async def begin(browser: Browser, key_id: str, **fields: str) -> str:
    """Starts a rotation through the form; returns the new secret."""
    path = f"{LIST}/{key_id}/rotation"
    await browser.open(path)
    answer = await browser.send(path, **fields)
    assert answer.status_code == 201, answer.text
    return SECRET.findall(answer.text)[0]


async def test_a_rotation_is_started_with_its_options_and_the_secret_shown_once(editor: Browser, team: Team) -> None:
    key = (await make_key(team)).key
    now = await database.now()
    database.freeze(now)
    secret = await begin(editor, key.id, days="14", onDeadline="REVOKE", quiet="21600")
    run = await rotations.of_key(*await at(team.owner, key.id))
    assert run is not None and run.state is State.ISSUED
    assert (run.rotation.deadline, run.rotation.on_deadline) == (now + 14 * clock.DAY, OnDeadline.REVOKE)
    assert run.rotation.quiet_period == 6 * clock.HOUR
    for path in (f"{LIST}/{key.id}/rotation", f"{LIST}/{run.successor.id}/rotation", f"{LIST}/{key.id}", LIST):
        assert (await editor.open(path)).status_code == 200
        assert secret[12:] not in editor.page
    assert "Rotating" in editor.page


async def test_the_same_form_sent_again_is_the_same_rotation_and_offers_another_secret_until_use(
    editor: Browser, team: Team
) -> None:
    key, path = (await make_key(team)).key, ""
    path = f"{LIST}/{key.id}/rotation"
    await editor.open(path)
    sent = editor.form(path).filled()
    first = SECRET.findall((await editor.post(path, sent, **editor.same_origin_headers)).text)[0]
    begun = await rotations.of_key(*await at(team.owner, key.id))
    second = await editor.post(path, sent, **editor.same_origin_headers)
    assert (second.status_code, second.headers["location"]) == (303, path)
    run = await rotations.of_key(*await at(team.owner, key.id))
    assert begun is not None and run is not None and begun.rotation.id == run.rotation.id and begun.successor == run.successor
    await editor.open(path)
    replaced = await editor.send(f"{path}/replacement")
    assert SECRET.findall(replaced.text)[0] != first
    run = await rotations.of_key(*await at(team.owner, key.id))
    assert run is not None
    await used(run.successor.id)
    third = await editor.post(path, sent, **editor.same_origin_headers)
    assert (third.status_code, third.headers["location"]) == (303, path)
    other = await editor.post(path, [(n, "else" if n == "once" else v) for n, v in sent], **editor.same_origin_headers)
    assert (other.status_code, other.headers["location"]) == (303, path)
    assert await rows("rotation") == 1


@pytest.mark.parametrize("fields", [{"days": "5"}, {"days": "-1"}, {"days": "x" * 99}, {"days": "9" * 40}])
async def test_options_that_were_not_offered_are_refused(editor: Browser, team: Team, fields: dict[str, str]) -> None:
    key = (await make_key(team)).key
    path = f"{LIST}/{key.id}/rotation"
    await editor.open(path)
    assert (await editor.send(path, **fields)).status_code == 422
    assert await rotations.of_key(*await at(team.owner, key.id)) is None


@pytest.mark.parametrize("end", ["suspended", "revoked"])
async def test_a_key_that_is_not_active_is_not_rotated_and_the_page_says_why(editor: Browser, team: Team, end: str) -> None:
    key = (await make_key(team)).key
    await (keys.suspend(team.owner, key.id) if end == "suspended" else keys.revoke(team.owner, key.id, Reason.OTHER))
    answer = await editor.open(f"{LIST}/{key.id}/rotation")
    assert answer.status_code == 409 and f"This key is {end}" in answer.text


async def test_completing_before_it_is_ready_needs_confirmation_and_a_ready_one_does_not(editor: Browser, team: Team) -> None:
    key = (await make_key(team)).key
    await used(key.id)
    await begin(editor, key.id, quiet="900")
    path = f"{LIST}/{key.id}/rotation"
    await editor.open(path)
    refused = await editor.send(f"{path}/completion")
    assert refused.status_code == 409 and "has not been used yet" in refused.text
    run = await rotations.of_key(*await at(team.owner, key.id))
    assert run is not None
    await used(run.successor.id)
    await used(key.id, ago=901 * clock.SECOND)
    await editor.open(path)
    assert "no caller would be cut off" in editor.page
    assert (await editor.send(f"{path}/completion")).status_code == 303
    assert (await keys.get(team.owner, key.id)).status(await database.now()) is Status.REVOKED
    assert "The old key is revoked; the new key has replaced it." in (await editor.open(path)).text


async def test_a_ready_rotation_says_so_and_a_key_in_it_is_not_called_due(editor: Browser, team: Team) -> None:
    key = (await make_key(team)).key
    await used(key.id, ago=clock.DAY)
    async with database.transaction():  # Production keys are rotated every 90 days.
        await database.fetch("UPDATE api_key SET created_at = {} WHERE id = {}", key.created_at - 80 * clock.DAY, key.id)
    await begin(editor, key.id, quiet="900")
    run = await rotations.of_key(*await at(team.owner, key.id))
    assert run is not None
    await editor.open(f"{LIST}/{key.id}")
    head = editor.page.partition('<div class="head">')[2].partition('<div class="stack">')[0]
    assert "Rotating" in head and "Rotate in" not in head
    await editor.open(f"{LIST}/{run.successor.id}")
    assert f"replaces {key.prefix}…" in editor.page
    assert "Nobody uses the old key." not in editor.page
    await used(run.successor.id)
    await editor.open(f"{LIST}/{key.id}/rotation")
    assert "Nobody uses the old key." in editor.page
    await keys.suspend(team.owner, key.id)
    for path in (LIST, f"{LIST}/{key.id}"):
        await editor.open(path)
        assert "Suspended" in editor.page, path


async def test_cancelling_with_a_used_successor_needs_confirmation(editor: Browser, team: Team) -> None:
    key = (await make_key(team)).key
    await begin(editor, key.id)
    path = f"{LIST}/{key.id}/rotation"
    run = await rotations.of_key(*await at(team.owner, key.id))
    assert run is not None
    await used(run.successor.id)
    await editor.open(path)
    refused = await editor.send(f"{path}/cancellation")
    assert refused.status_code == 409 and "already in use" in refused.text
    assert (await editor.send(f"{path}/cancellation", force="yes")).status_code == 303
    again = await rotations.of_key(*await at(team.owner, key.id))
    assert again is not None and again.state is State.CANCELLED


async def test_a_successor_first_used_during_the_cancellation_needs_confirmation(
    editor: Browser, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = (await make_key(team)).key
    await begin(editor, key.id)
    path, cancel = f"{LIST}/{key.id}/rotation", rotations.cancel

    async def used_just_before(actor: Actor, rotation_id: str, **how: Any) -> Progress:
        run = await rotations.get(actor, rotation_id)
        await used(run.successor.id)
        return await cancel(actor, rotation_id, **how)

    await editor.open(path)
    with monkeypatch.context() as patched:
        patched.setattr(rotations, "cancel", used_just_before)
        refused = await editor.send(f"{path}/cancellation")
    assert refused.status_code == 409 and "already in use" in refused.text
    run = await rotations.of_key(*await at(team.owner, key.id))
    assert run is not None and run.state is State.IN_USE
    assert (await editor.send(f"{path}/cancellation", force="yes")).status_code == 303


@pytest.mark.parametrize("at_once", [False, True], ids=["in a row", "at once"])
@pytest.mark.parametrize("passed", [False, True], ids=["before the deadline", "after it"])
async def test_the_form_that_extends_a_deadline_extends_it_once_however_often_it_is_sent(
    editor: Browser, team: Team, passed: bool, at_once: bool
) -> None:
    key = (await make_key(team)).key
    await begin(editor, key.id, days="3")
    path = f"{LIST}/{key.id}/rotation"
    if passed:
        await later(4 * clock.DAY // clock.MINUTE)
        await signed_in(editor, team.editor)
    run = await rotations.of_key(*await at(team.owner, key.id))
    assert run is not None
    shown_at = max(await database.now(), run.rotation.deadline)
    await editor.open(path)
    fields = editor.form(f"{path}/extension").filled(days="7")
    if passed:
        await later(5)
    sendings = [editor.post(f"{path}/extension", fields, **editor.same_origin_headers) for _ in range(2)]
    answers = list(await asyncio.gather(*sendings)) if at_once else [await each for each in sendings]
    assert [(answer.status_code, answer.headers["location"]) for answer in answers] == [(303, f"{path}?done=extended")] * 2
    run = await rotations.of_key(*await at(team.owner, key.id))
    assert run is not None and run.rotation.deadline == shown_at + 7 * clock.DAY


@pytest.mark.parametrize("given", ["", "x", "9" * 40, "0"])
async def test_a_form_with_an_invalid_deadline_does_not_extend_it_beyond_the_choice(
    editor: Browser, team: Team, given: str
) -> None:
    key = (await make_key(team)).key
    await begin(editor, key.id)
    path = f"{LIST}/{key.id}/rotation"
    before = await rotations.of_key(*await at(team.owner, key.id))
    await editor.open(path)
    fields = [(n, given if n == "from" else v) for n, v in editor.form(f"{path}/extension").filled(days="14")]
    assert (await editor.post(f"{path}/extension", fields, **editor.same_origin_headers)).status_code == 303
    run = await rotations.of_key(*await at(team.owner, key.id))
    assert before is not None and run is not None
    assert before.rotation.deadline < run.rotation.deadline <= before.rotation.deadline + 14 * clock.DAY


async def test_a_deadline_is_extended_up_to_thirty_days_after_the_start(editor: Browser, team: Team) -> None:
    key = (await make_key(team)).key
    await begin(editor, key.id)
    path = f"{LIST}/{key.id}/rotation"
    for _ in range(3):
        await editor.open(path)
        await editor.send(f"{path}/extension", days="14")
    run = await rotations.of_key(*await at(team.owner, key.id))
    assert run is not None and run.rotation.deadline == run.rotation.started_at + 30 * clock.DAY


async def test_a_viewer_watches_and_changes_nothing(browse: Any, viewer: Browser, team: Team) -> None:
    key = (await make_key(team)).key
    await begin(await signed_in(browse(), team.editor), key.id)
    path = f"{LIST}/{key.id}/rotation"
    await viewer.open(path)
    assert (
        "Watch callers move" in viewer.page and "Revoke the old key now" not in viewer.page and "Cancel rotation" not in viewer.page
    )
    token = [(name, value) for name, value in viewer.form("/sign-out").values if name == "csrf"]
    for end in ("", "/completion", "/cancellation", "/extension", "/dismissals", "/restorations", "/replacement"):
        assert (await viewer.post(path + end, token, **viewer.same_origin_headers)).status_code == 403, end


async def test_the_plan_stays_within_its_limit_while_its_only_key_is_rotated(browser: Browser, db: None) -> None:
    free = await make_team("small", plan="free")
    key = (await make_key(free)).key
    owner = await signed_in(browser, free.owner)
    path = f"/w/small/settings/api-keys/{key.id}/rotation"
    await owner.open(path)
    assert (await owner.send(path)).status_code == 201
    assert "1 of 1 key on Free, 1 rotating" in re.sub(r"\s+", " ", (await owner.open("/w/small")).text)


@dataclass
class Watched:
    """A watched subject: a number, with counts of checks for changes and of renderings."""

    number: int = 1
    asked: int = 0
    looked: int = 0
    name: str = "watched"
    workspace: str = "ws"

    @property
    def subject(self) -> Subject[int]:
        return Subject(self.name, self.workspace, self.version, self.load, lambda seen: seen)

    async def version(self, seen: int) -> object:
        self.asked += 1
        return self.number

    async def load(self, seen: int) -> int:
        self.looked += 1
        return self.number

    async def asked_again(self) -> None:
        """Waits until a polling round has begun and ended after this call."""
        before = self.asked
        async with asyncio.timeout(20):
            while self.asked < before + 2:
                await asyncio.sleep(0)


async def anybody() -> None:
    return


async def visitor(browser: Browser) -> Visitor:
    session = await sessions.find(browser.token or "")
    assert session is not None
    return Visitor(session, browser.token or "", REQUEST)


class TestStream:
    """The events sent to live pages."""

    @pytest.fixture
    def stopping(self, monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
        monkeypatch.setattr(live, "TICK_SECONDS", 0.01)
        return asyncio.Event()

    @pytest.fixture
    async def streams(self, stopping: asyncio.Event) -> AsyncIterator[EventStreams]:
        found = EventStreams(Live(stopping))
        yield found
        stopping.set()
        if found._live._asking:
            await found._live._asking

    async def test_it_sends_a_part_when_it_has_changed_and_only_then(self, editor: Browser, streams: EventStreams) -> None:
        watched = Watched()
        events = _events(streams, await visitor(editor), watched)
        assert await anext(events) == "data: <p>\ndata: 1</p>\n\n"
        coming = asyncio.ensure_future(anext(events))
        await watched.asked_again()
        assert not coming.done()
        watched.number = 2
        assert await coming == "data: <p>\ndata: 2</p>\n\n"
        await events.aclose()

    async def test_all_live_pages_share_one_rendering_and_there_is_none_without_a_change(
        self, editor: Browser, viewer: Browser, streams: EventStreams
    ) -> None:
        watched = Watched()
        all_of_them = [_events(streams, await visitor(one), watched) for one in (editor, viewer) for _ in range(5)]
        for events in all_of_them:
            await anext(events)
        await watched.asked_again()
        looked, watched.number = watched.looked, 2
        assert [await anext(events) for events in all_of_them] == ["data: <p>\ndata: 2</p>\n\n"] * 10
        await watched.asked_again()
        assert watched.looked == looked + 1
        for events in all_of_them:
            await events.aclose()

    async def test_a_stream_without_changes_sends_keep_alives(
        self, editor: Browser, streams: EventStreams, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sse, "SILENCE_SECONDS", 0.01)
        events = _events(streams, await visitor(editor), Watched())
        await anext(events)
        assert await anext(events) == ": still here\n\n"
        await events.aclose()

    @pytest.mark.parametrize("changes", [True, False])
    async def test_it_ends_with_the_session(
        self, editor: Browser, streams: EventStreams, changes: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sse, "SILENCE_SECONDS", 1000 if changes else 0.01)
        watched = Watched()
        events = _events(streams, await visitor(editor), watched)
        await anext(events)
        async with database.transaction():
            await database.fetch("DELETE FROM session")
        watched.number += changes
        assert [event async for event in events] == []

    async def test_it_ends_when_the_reader_loses_access(self, editor: Browser, streams: EventStreams) -> None:
        async def refused() -> None:
            raise NotFound("rotation")

        assert [event async for event in _events(streams, await visitor(editor), Watched(), refused)] == []

    async def test_it_ends_when_its_subject_no_longer_exists(self, editor: Browser, streams: EventStreams) -> None:
        watched = Watched()
        events = _events(streams, await visitor(editor), watched)
        await anext(events)

        async def gone(seen: int) -> int:
            raise NotFound("rotation")

        watched.load = gone  # type: ignore[method-assign]
        streams._live._topics["watched"].subject = watched.subject
        watched.number = 2
        assert [event async for event in events] == []

    async def test_all_end_with_the_node(self, editor: Browser, streams: EventStreams, stopping: asyncio.Event) -> None:
        events = _events(streams, await visitor(editor), Watched())
        await anext(events)
        stopping.set()
        assert [event async for event in events] == []

    async def test_the_number_of_streams_of_a_node_is_limited(
        self, editor: Browser, streams: EventStreams, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sse, "MOST", 1)
        reader = await visitor(editor)
        first = _events(streams, reader, Watched())
        await anext(first)
        with pytest.raises(Unavailable):
            _events(streams, reader, Watched(workspace="another"))
        await first.aclose()
        _events(streams, reader, Watched())

    async def test_the_number_of_streams_of_a_session_and_of_a_workspace_is_limited(
        self, editor: Browser, viewer: Browser, streams: EventStreams, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sse, "MOST_OF_WORKSPACE", 7)
        mine, theirs = await visitor(editor), await visitor(viewer)
        opened = [_events(streams, mine, Watched()) for _ in range(6)]
        # They were accepted at the same moment; when the last one begins, it exceeds the limit.
        began = [await anext(events, None) for events in opened]
        assert began == ["data: <p>\ndata: 1</p>\n\n"] * 5 + [None]
        with pytest.raises(TooManyAttempts):
            _events(streams, mine, Watched(workspace="another"))
        for _ in range(2):
            opened.append(_events(streams, theirs, Watched()))
            await anext(opened[-1])
        with pytest.raises(TooManyAttempts):
            _events(streams, theirs, Watched())
        for events in opened:
            await events.aclose()
        assert not streams._live._topics and not streams._live._open


async def test_a_page_and_a_subscription_watch_a_rotation_each_for_what_it_shows(team: Team) -> None:
    started = (await rotations.start(team.owner, (await make_key(team)).key.id)).progress
    access = await seen(team.viewer, team.slug)
    parts = (pages._shown_part, subscriptions._shown_part)
    names = {rotations.watched(access, started, part).name for part in parts}
    assert len(names) == 2 and len({rotations.watched(access, started, pages._shown_part).name for _ in range(2)}) == 1


async def test_the_cheap_check_detects_every_change_of_a_rotation(team: Team) -> None:
    now = await database.now()
    database.freeze(now - now % rotations_reading.LOOK_EVERY)
    started = (await rotations.start(team.owner, (await make_key(team)).key.id)).progress
    access = await seen(team.viewer, team.slug)
    marks = [await rotations.version_mark(access, started)]
    assert await rotations.version_mark(access, started) == marks[0]
    for change in (
        lambda: used(started.predecessor.id),
        lambda: used(started.successor.id),
        lambda: met(started.predecessor.id, "192.0.2.0/24"),
        lambda: met(started.successor.id, "192.0.2.0/24"),
        lambda: met(started.successor.id, "192.0.2.0/24", clock.MINUTE),
        lambda: rotations.extend(team.owner, started.rotation.id, started.rotation.deadline + clock.DAY),
        lambda: keys.suspend(team.owner, started.successor.id),
        lambda: keys.revoke(team.owner, started.predecessor.id, Reason.OTHER),
    ):
        await change()
        marks.append(await rotations.version_mark(access, started))
    assert len(set(marks)) == len(marks)
    assert (await rotations.reread(access, started)).state is State.COMPLETED


async def met(key_id: str, network: str, later: int = 0) -> None:
    tally = CounterBatch()
    tally.add_caller(key_id, (network, "curl"), "pdf.read", await database.now() + later, await database.now() + later, 1)
    async with database.transaction():
        await usage_store.add(tally)


def _events(streams: EventStreams, reader: Visitor, watched: Watched, allowed: Any = anybody) -> AsyncGenerator[Any, None]:
    async def render(seen: int) -> str:
        return f"<p>\n{seen}</p>"

    answer = streams.stream(reader, watched.subject, watched.number, allowed=allowed, render=render)
    return answer.iterator  # type: ignore[attr-defined,no-any-return]
