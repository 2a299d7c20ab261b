"""Notices of keys that are being replaced or expire soon: logged once a day, and passed on to callers if configured."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from app import database
from app.clock import DAY, SECOND, to_datetime
from app.keys.service import Created
from app.rotations import service as rotations
from app.rotations.rotation import OnDeadline
from keydesk_client import PUBLIC, Keydesk, KeydeskKey, KeydeskUnavailable, Notice
from keydesk_client.notice_log import NoticeLog
from tests.client.conftest import PERMISSIONS, Upstream, caller, protect
from tests.client.test_client import KEY, VALID, answering, keydesk
from tests.conftest import Team, make_key

SAID = {"kind": "ROTATING", "message": "It ends.", "since": "2026-11-24T08:00:00.999999Z", "sunset": "2026-12-01T08:00:00.999999Z"}
HEADERS = {"deprecation": "@1795507200", "sunset": "Tue, 01 Dec 2026 08:00:00 GMT"}


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Sends the headers that the test requests, and says whether its key has a notice."""
    notice = KeydeskKey.of(scope).notice if "keydesk" in scope else None
    own = [(b"deprecation", b"@1")] if scope["path"] == "/pdfs/old" else []
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-own", b"1"), *own]})
    await send({"type": "http.response.body", "body": json.dumps(notice.kind if notice else None).encode()})


async def get(protected: Any, key: Created, path: str = "/pdfs/1") -> httpx.Response:
    async with caller(protected, key.secret) as http:
        response = await http.get(path)
    assert response.status_code == 200
    return response


def said(response: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in response.headers.items() if name in ("deprecation", "sunset")}


def warnings_logged(caplog: pytest.LogCaptureFixture) -> Sequence[str]:
    """The warnings in the service's log."""
    return [record.message for record in caplog.records if record.name == "keydesk_client" and record.levelno >= logging.WARNING]


async def test_a_rotating_keys_notice_reaches_the_application_its_log_and_its_callers(
    team: Team, upstream: Upstream, everything_logged: pytest.LogCaptureFixture
) -> None:
    key, deadline = await make_key(team), await database.now() + 3 * DAY
    protected = protect(app, upstream, pass_on_notices=True)
    before = await get(protected, key)
    assert (before.json(), said(before), warnings_logged(everything_logged)) == (None, {}, [])
    run = (await rotations.start(team.editor, key.key.id, deadline=deadline, on_deadline=OnDeadline.REVOKE)).progress.rotation
    for _ in range(3):
        after = await get(protected, key)
        assert after.json() == "ROTATING" and after.headers["x-own"] == "1"
        assert said(after)["deprecation"] == f"@{run.started_at // SECOND}"
        assert said(after)["sunset"] == to_datetime(deadline).strftime("%a, %d %b %Y %H:%M:%S GMT")
    (line,) = warnings_logged(everything_logged)
    assert line.startswith(f"the key {key.key.id} ('Production server' of acme): This API key is being replaced.")
    assert str(key.secret) not in everything_logged.text
    await protected.aclose()


async def test_nothing_is_passed_on_unless_it_is_configured(team: Team, upstream: Upstream) -> None:
    key = await make_key(team, expires_at=await database.now() + DAY)
    protected = protect(app, upstream)
    response = await get(protected, key)
    assert (response.json(), said(response)) == ("EXPIRES_SOON", {})
    await protected.aclose()


async def test_headers_that_the_application_sets_are_not_changed(team: Team, upstream: Upstream) -> None:
    key = await make_key(team, expires_at=await database.now() + DAY)
    protected = protect(app, upstream, pass_on_notices=True)
    response = await get(protected, key, "/pdfs/old")
    assert said(response) == {"deprecation": "@1"}
    await protected.aclose()


async def test_refused_and_public_requests_get_no_notice(team: Team, upstream: Upstream) -> None:
    key = await make_key(team, expires_at=await database.now() + DAY)
    protected = protect(
        app, upstream, pass_on_notices=True, permissions=PERMISSIONS | {"DELETE /pdfs": "pdf.delete", "GET /": PUBLIC}
    )
    async with caller(protected, key.secret) as http:
        denied, public = await http.delete("/pdfs"), await http.get("/")
    assert (denied.status_code, said(denied)) == (403, {})
    assert (public.status_code, said(public)) == (200, {})
    await protected.aclose()


async def test_a_websocket_gets_the_notice_in_its_handshake() -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    send_with_headers = Notice.read(SAID).add_headers(send)
    await send_with_headers({"type": "websocket.accept"})
    await send_with_headers({"type": "websocket.send", "text": "hello"})
    headers = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
    assert sent == [{"type": "websocket.accept", "headers": headers}, {"type": "websocket.send", "text": "hello"}]


def test_each_key_is_logged_once_a_day_for_each_kind(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    notices = NoticeLog(lambda: now[0])

    def lines_logged(key_id: str, **changes: str) -> int:
        """How many lines this notice adds to the log."""
        before = len(warnings_logged(caplog))
        notices.log(KeydeskKey(key_id, "w", "acme", "n", "e", (), notice=Notice.read(SAID | changes)))
        return len(warnings_logged(caplog)) - before

    assert [lines_logged("key_a"), lines_logged("key_a"), lines_logged("key_b"), lines_logged("key_a", kind="EXPIRES_SOON")] == [
        1,
        0,
        1,
        1,
    ]
    now[0] = 86_399.0
    assert [lines_logged("key_a"), lines_logged("key_c"), lines_logged("key_b")] == [0, 1, 0]
    now[0] = 86_400.0
    assert [lines_logged("key_a"), lines_logged("key_a"), lines_logged("key_b"), lines_logged("key_c")] == [1, 0, 1, 0]
    assert len(notices._logged) == 3


def test_a_secret_in_a_name_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    NoticeLog().log(KeydeskKey("key_a", "w", "acme", KEY, "e", (), notice=Notice.read(SAID)))
    (line,) = warnings_logged(caplog)
    assert KEY not in line and "[secret]" in line


async def asked(desk: Keydesk) -> Notice | None:
    async with desk:
        verdict = await desk.verify(KEY)
    assert verdict.key is not None
    return verdict.key.notice


def with_notice(notice: object) -> Keydesk:
    return keydesk(answering(200, VALID[:-1] + b', "notice": ' + json.dumps(notice).encode() + b"}"))


async def test_a_notice_is_read_from_the_answer() -> None:
    notice = await asked(with_notice(SAID))
    assert notice is not None
    assert notice == Notice("ROTATING", "It ends.", *(datetime(2026, *day, 8, 0, 0, 999_999, UTC) for day in ((11, 24), (12, 1))))
    assert {name.decode(): value.decode() for name, value in notice.headers} == HEADERS
    elsewhere = await asked(with_notice(SAID | {"sunset": "2026-12-01T09:00:00+01:00"}))
    assert elsewhere is not None and elsewhere.sunset is not None
    assert elsewhere.sunset.utcoffset() == timedelta(0)
    assert dict(elsewhere.headers)[b"sunset"] == HEADERS["sunset"].encode()


async def test_without_a_sunset_there_is_no_sunset_header() -> None:
    notice = await asked(with_notice(SAID | {"sunset": None}))
    assert notice is not None and notice.headers == [(b"deprecation", HEADERS["deprecation"].encode())]


async def test_an_older_keydesk_without_notices_is_supported() -> None:
    assert await asked(keydesk(answering(200, VALID))) is None
    assert await asked(with_notice(None)) is None


@pytest.mark.parametrize(
    "wrong",
    [
        "soon", [], {}, SAID | {"since": None}, SAID | {"since": "2026-11-24T08:00:00"}, SAID | {"sunset": 5},
        SAID | {"sunset": "9999-12-31T23:59:59-23:00"},
    ],
)  # fmt: skip
async def test_an_answer_with_an_invalid_notice_is_not_a_verdict(wrong: object) -> None:
    desk = with_notice(wrong)
    with pytest.raises(KeydeskUnavailable):
        await desk.verify(KEY)
    await desk.aclose()
