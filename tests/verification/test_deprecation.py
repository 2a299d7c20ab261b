"""Notices of keys that will soon stop working, for the code that uses them; other keys have none."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from app import database
from app.clock import DAY, HOUR, SECOND, rfc3339, to_datetime
from app.keys import service as keys
from app.keys.key import Reason
from app.rotations import service as rotations
from app.rotations.rotation import OnDeadline
from app.verification.deprecation import Kind, Notice, Rotating, notice
from tests.conftest import Team, make_key
from tests.verification.conftest import NOW, Service, change_key

SECONDS = NOW // SECOND


def test_the_notice_is_about_the_earliest_end() -> None:
    assert notice(None, None, NOW) is None
    assert notice(None, NOW + 14 * DAY + 1, NOW) is None
    assert notice(None, NOW + 14 * DAY, NOW) == Notice(Kind.EXPIRES_SOON, NOW, NOW + 14 * DAY)
    assert notice(Rotating(NOW - 5, None), None, NOW) == Notice(Kind.ROTATING, NOW - 5, None)
    assert notice(Rotating(NOW - 5, None), NOW + 1, NOW) == Notice(Kind.ROTATING, NOW - 5, NOW + 1)
    assert notice(Rotating(NOW - 5, NOW + 9), NOW + 10, NOW) == Notice(Kind.ROTATING, NOW - 5, NOW + 9)
    assert notice(Rotating(NOW - 5, NOW + 9), NOW + 8, NOW) == Notice(Kind.ROTATING, NOW - 5, NOW + 8)


@pytest.mark.parametrize("fraction", [0, 1, 999_999])
def test_the_headers_follow_the_standards_and_are_never_later_than_the_real_instants(fraction: int) -> None:
    said = Notice(Kind.ROTATING, NOW + fraction, NOW + DAY + fraction)
    date = datetime.fromtimestamp(SECONDS + DAY // SECOND, UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
    assert said.headers == [(b"deprecation", b"@%d" % SECONDS), (b"sunset", date.encode())]
    assert Notice(Kind.ROTATING, NOW, None).headers == [(b"deprecation", b"@%d" % SECONDS)]


async def both(service: Service, secret: str | None) -> tuple[dict[str, Any] | None, dict[str, str]]:
    """The notice of a valid answer and its headers, which forward-auth's 204 has too."""
    response = await service.post("/v1/verify", json={"key": secret})
    assert response.json()["valid"] is True
    forwarded = await service.forward(("x-api-key", str(secret)))
    assert forwarded.status_code == 204
    headers = [
        {name: value for name, value in each.headers.items() if name in ("deprecation", "sunset")} for each in (response, forwarded)
    ]
    assert headers[0] == headers[1]
    return response.json()["notice"], headers[0]


async def test_a_key_without_an_end_has_no_notice(service: Service, team: Team) -> None:
    created = await make_key(team, expires_at=await database.now() + 30 * DAY)
    assert await both(service, created.secret) == (None, {})


@pytest.mark.parametrize(("offset", "said"), [(-1, False), (0, True), (1, True)])
async def test_a_key_has_a_notice_from_fourteen_days_before_its_expiry(
    service: Service, team: Team, offset: int, said: bool
) -> None:
    expires_at = await database.now() + 30 * DAY
    created = await make_key(team, expires_at=expires_at)
    database.freeze(expires_at - 14 * DAY + offset)
    told, headers = await both(service, created.secret)
    if not said:
        assert (told, headers) == (None, {})
        return
    assert told == {
        "kind": "EXPIRES_SOON",
        "message": f"This API key expires at {rfc3339(expires_at)}. Extend it, or put another one in its place.",
        "since": rfc3339(expires_at - 14 * DAY),
        "sunset": rfc3339(expires_at),
    }
    assert headers["deprecation"] == f"@{(expires_at - 14 * DAY) // SECOND}"
    assert parsedate_to_datetime(headers["sunset"]) == to_datetime(expires_at).replace(microsecond=0)


async def test_the_predecessor_has_a_notice_and_the_successor_has_none(service: Service, team: Team) -> None:
    created = await make_key(team)
    started = await rotations.start(team.editor, created.key.id)
    since = started.progress.rotation.started_at
    assert await both(service, created.secret) == (
        {
            "kind": "ROTATING",
            "message": "This API key is being replaced. Use the new one.",
            "since": rfc3339(since),
            "sunset": None,
        },
        {"deprecation": f"@{since // SECOND}"},
    )
    assert await both(service, started.secret) == (None, {})


async def test_a_rotation_that_revokes_at_its_deadline_has_a_sunset(service: Service, team: Team) -> None:
    created, deadline = await make_key(team), await database.now() + 3 * DAY
    started = await rotations.start(team.editor, created.key.id, deadline=deadline, on_deadline=OnDeadline.REVOKE)
    told, headers = await both(service, created.secret)
    assert told == {
        "kind": "ROTATING",
        "message": f"This API key is being replaced. Use the new one. It stops working at {rfc3339(deadline)}.",
        "since": rfc3339(started.progress.rotation.started_at),
        "sunset": rfc3339(deadline),
    }
    assert parsedate_to_datetime(headers["sunset"]) == to_datetime(deadline).replace(microsecond=0)


async def test_after_a_rotation_is_cancelled_the_next_answer_has_no_notice(service: Service, team: Team) -> None:
    created = await make_key(team)
    started = await rotations.start(team.editor, created.key.id)
    await rotations.cancel(team.editor, started.progress.rotation.id)
    assert await both(service, created.secret) == (None, {})


async def test_a_rotation_whose_new_key_has_ended_gives_no_notice_before_the_end_is_stored(service: Service, team: Team) -> None:
    created = await make_key(team)
    started = await rotations.start(team.editor, created.key.id)
    successor, now = started.progress.successor.id, await database.now()
    await change_key(successor, expires_at=now + HOUR)
    database.freeze(now + HOUR - 1)
    assert (await both(service, created.secret))[0] is not None
    database.freeze(now + HOUR)
    assert await both(service, created.secret) == (None, {})
    await change_key(successor, expires_at=None)
    assert (await both(service, created.secret))[0] is not None
    await keys.revoke(team.owner, successor, Reason.OTHER)
    assert await both(service, created.secret) == (None, {})


async def test_the_remaining_key_of_a_rotation_has_a_notice_when_it_is_rotated_itself(service: Service, team: Team) -> None:
    created = await make_key(team)
    first = await rotations.start(team.editor, created.key.id)
    await rotations.complete(team.editor, first.progress.rotation.id, force=True)
    assert await both(service, first.secret) == (None, {})
    await rotations.start(team.editor, first.progress.successor.id)
    told, _ = await both(service, first.secret)
    assert told is not None and told["kind"] == "ROTATING"


async def test_a_denied_request_has_no_notice(service: Service, team: Team) -> None:
    created = await make_key(team, expires_at=await database.now() + DAY)
    await rotations.start(team.editor, created.key.id)
    response = await service.post("/v1/verify", json={"key": created.secret, "permission": "pdf.delete"})
    assert response.json()["code"] == "PERMISSION_DENIED" and "notice" not in response.json()
    forwarded = await service.forward(("x-api-key", str(created.secret)), query="?permission=pdf.delete")
    assert forwarded.status_code == 403
    for answer in (response, forwarded):
        assert not {"deprecation", "sunset"} & answer.headers.keys()
