"""Changing the pepper without downtime: keys and tokens under both verify, and move to the new one when used."""

from __future__ import annotations

import uuid

import pytest

from app import database, runtime
from app.clock import rfc3339
from app.keys import store
from app.peppers import service as peppers
from app.peppers.pepper import Pepper, Peppers
from app.settings import Settings
from app.verification.routes import Verification
from tests.conftest import Team, make_key
from tests.support.time_limits import extend_time_limits
from tests.verification.conftest import Service, change_key, counters, gateway_token, watched

NEW = Pepper(2, b"another pepper for the tests and for nothing else")


async def digest_of(key_id: str) -> tuple[bytes, int]:
    (row,) = await database.fetch("SELECT digest, pepper_version FROM api_key WHERE id = {}", key_id)
    return bytes(row["digest"]), row["pepper_version"]


async def digests_of_tokens() -> set[tuple[bytes, int]]:
    rows = await database.fetch("SELECT digest, pepper_version FROM gateway_token")
    return {(bytes(row["digest"]), row["pepper_version"]) for row in rows}


async def after_the_change(settings: Settings) -> Service:
    runtime.put(Peppers(NEW, peppers.current().current))
    return await opened(settings)


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    extend_time_limits(monkeypatch)


async def opened(settings: Settings) -> Service:
    verification = Verification(settings)
    await verification.open()
    return watched(verification)


async def test_a_key_under_the_previous_pepper_is_valid_and_moves_after_its_answer(team: Team, settings: Settings) -> None:
    used, unused = await make_key(team, "Used"), await make_key(team, "Unused")
    under_old = await digest_of(unused.key.id)
    service = await after_the_change(settings)
    assert await service.code(used.secret) == "VALID"
    await service.app.close()
    assert await digest_of(used.key.id) == (NEW.digest(str(used.secret)), 2)
    assert await digest_of(unused.key.id) == under_old
    service = await opened(settings)
    assert [await service.code(key.secret) for key in (used, used, unused)] == ["VALID"] * 3
    await service.app.close()
    assert await counters() == {(used.key.id, "", "VALID"): 3, (unused.key.id, "", "VALID"): 1}


async def test_a_refused_key_does_not_move(team: Team, settings: Settings) -> None:
    created = await make_key(team)
    await change_key(created.key.id, suspended_at=1)
    before = await digest_of(created.key.id)
    service = await after_the_change(settings)
    assert await service.code(created.secret) == "SUSPENDED"
    await service.app.close()
    assert await digest_of(created.key.id) == before


async def test_gateway_tokens_under_the_previous_pepper_work_and_move_when_used(team: Team, settings: Settings) -> None:
    created, used, unused = await make_key(team), await gateway_token(), await gateway_token()
    old = peppers.current().current
    service = await after_the_change(settings)
    assert await service.code(created.secret) == "VALID"
    service.token = used
    assert await service.code(created.secret) == "VALID"
    await service.app.close()
    assert await digests_of_tokens() == {(NEW.digest(used), 2), (old.digest(unused), old.version)}
    runtime.put(Peppers(NEW))
    service = await opened(settings)
    service.token = used
    assert await service.code(created.secret) == "VALID"
    await service.app.close()


async def test_a_report_sent_again_during_a_pepper_change_counts_once(team: Team, settings: Settings) -> None:
    key, service = (await make_key(team)).key, await opened(settings)
    event = {"keyId": key.id, "at": rfc3339(await database.now()), "status": 200}
    batch = str(uuid.uuid4())
    first = (await service.report(batch, event)).json()
    await service.app.close()
    service = await after_the_change(settings)
    again = (await service.report(batch, event)).json()
    await service.app.close()
    assert (first["accepted"], first["duplicate"], again["accepted"], again["duplicate"]) == (1, False, 1, True)


async def test_a_key_never_moves_back_to_an_older_pepper(team: Team) -> None:
    created = await make_key(team)
    await change_key(created.key.id, digest=b"under the third", pepper_version=3)
    async with database.transaction():
        await store.redigest(created.key.id, b"under the second", 2)
    assert await digest_of(created.key.id) == (b"under the third", 3)
