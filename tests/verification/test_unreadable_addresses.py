"""A client address that cannot be read is unknown, and reported."""

from __future__ import annotations

import logging

import pytest
from prometheus_client import REGISTRY

from app.access.actor import Actor
from app.doctor.database_checks import of_database
from app.settings import Settings
from app.verification import unreadable
from tests.conftest import Team, make_key
from tests.verification.conftest import Service

NAME = "keydesk_addresses_unreadable_total"


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if "X-Forwarded-For" in record.getMessage()]


async def test_an_unreadable_address_is_counted_and_logged_once_a_minute_by_its_shape(
    service: Service, team: Team, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unreadable, "_said_at", float("-inf"))
    key = ("x-api-key", str((await make_key(team, allowed_ips=("203.0.113.9",))).secret))
    before = REGISTRY.get_sample_value(NAME) or 0
    with caplog.at_level(logging.WARNING):
        for entry in ("for=203.0.113.9", "fl_live_secret", "203.0.113.9;443"):
            assert (await service.forward(key, ("x-forwarded-for", entry))).status_code == 403
        assert (await service.forward(key, ("x-forwarded-for", "203.0.113.9"))).status_code == 204
        assert (await service.forward(key)).status_code == 403
    assert logged(caplog) == [
        "X-Forwarded-For holds 'aaa=999.9.999.9' where an address belongs (digits as 9, letters as a): it is unknown"
    ]
    assert (REGISTRY.get_sample_value(NAME) or 0) - before == 3


async def test_doctor_says_how_many_keys_were_used_from_unknown_addresses(service: Service, team: Team, settings: Settings) -> None:
    first, second = [str((await make_key(team, name)).secret) for name in ("First", "Second")]
    assert (await service.forward(("x-api-key", first), ("x-forwarded-for", "203.0.113.9"))).status_code == 204
    assert [finding for finding in await of_database(Actor.operator(), settings) if finding.what == "addresses"] == []
    for _ in range(2):
        assert (await service.forward(("x-api-key", second), ("x-forwarded-for", "a proxy"))).status_code == 204
    (finding,) = [finding for finding in await of_database(Actor.operator(), settings) if finding.what == "addresses"]
    assert (finding.level, finding.text.split(" were")[0]) == ("warn", "1 keys")
