"""Operator keys: how they authenticate, which is as management keys do, and what each may see and change."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from app import database, ids, replay, runtime
from app.access.actor import Actor
from app.audit import store as audit_store
from app.clock import DAY
from app.errors import NotFound, ValidationFailed
from app.journal import file as journal
from app.keys.secret import KeyClass, class_of
from app.leaks import credentials
from app.management_keys import service as management_keys
from app.management_keys.management_key import LONGEST_LIFE_DAYS, ManagementKeyInput, Status
from app.operator_keys import service, store
from app.operator_keys.operator_key import OPERATOR_KEY_ID, OperatorKey
from app.peppers import service as peppers
from app.peppers.pepper import Pepper, Peppers
from app.tenancy.service import SYSTEM_CHAIN
from tests.conftest import Team, make_key
from tests.support.graphql import Client
from tests.support.statements import counted

OPERATOR = Actor.operator()
HELLO = "{ viewer { kind scopes effectiveScopes user { id } managementKey { id } workspaces { id } } }"
NEW = Pepper(2, b"another pepper for the tests and for nothing else")


async def make(*networks: str, scopes: tuple[str, ...] = ("workspaces.write",), days: int = 1) -> tuple[OperatorKey, str]:
    asked = ManagementKeyInput("Billing", scopes, await database.now() + days * DAY, networks)
    return await service.create(OPERATOR, asked)


async def test_an_operator_key_is_told_what_it_is(db: None) -> None:
    key, secret = await make()
    assert class_of(secret, {"fl"}) is KeyClass.MANAGEMENT and key.prefix == secret[:12]
    assert (await Client(token=secret).ask(HELLO))["viewer"] == {
        "kind": "OPERATOR_KEY",
        "scopes": ["workspaces.write"],
        "effectiveScopes": ["workspaces.read", "workspaces.write"],
        "user": None,
        "managementKey": None,
        "workspaces": [],
    }
    (found,) = await service.keys(OPERATOR)
    assert found == replace(key, last_used_at=found.last_used_at) and found.last_used_at is not None


async def test_every_secret_that_is_refused_is_answered_alike_after_the_same_look_ups(team: Team) -> None:
    (revoked, ended), (_, elsewhere) = await make(), await make("198.51.100.7")
    await service.revoke(OPERATOR, revoked.id)
    expired, past = await make()
    asked = ManagementKeyInput("CI", ("keys.read",), await database.now() + DAY)
    managing, other = await management_keys.create(team.owner, team.slug, asked)
    await management_keys.revoke(team.owner, managing.id)
    async with database.transaction():
        await database.fetch("UPDATE operator_key SET expires_at = 1 WHERE id = {}", expired.id)
    answers, look_ups = set(), set()
    for secret in (ended, elsewhere, past, other, ended[:-6] + "000000", other[:12] + ended[12:]):
        if class_of(secret, {"fl"}) is None:
            continue
        with counted() as statements:
            answer = await Client(token=secret).send(HELLO)
        answers.add((answer.status_code, answer.content, answer.headers["www-authenticate"]))
        look_ups.add(tuple(statements))
    assert len(answers) == len(look_ups) == 1
    assert {status for status, _, _ in answers} == {401}


async def test_an_api_key_is_no_operator_key_and_an_operator_key_no_api_key(team: Team) -> None:
    assert (await Client(token=(await make_key(team)).secret).send(HELLO)).status_code == 401
    owner = Client(team.owner)
    verdict = await owner.change("keys/verify", key=(await make())[1])
    assert (verdict["valid"], verdict["verdict"]) == (False, "NOT_FOUND")


async def test_wrong_input_is_reported_at_its_field(db: None) -> None:
    now = await database.now()
    for asked, field in (
        (ManagementKeyInput("Billing", ("keys.read",), now + DAY), "scopes"),
        (ManagementKeyInput("Billing", (), now + DAY), "scopes"),
        (ManagementKeyInput("", ("workspaces.read",), now + DAY), "name"),
        (ManagementKeyInput("Billing", ("workspaces.read",), now + (LONGEST_LIFE_DAYS + 1) * DAY), "expiresAt"),
        (ManagementKeyInput("Billing", ("workspaces.read",), now + DAY, ("moon",)), "allowedIps"),
    ):
        with pytest.raises(ValidationFailed) as refused:
            await service.create(OPERATOR, asked)
        assert [fault.field for fault in refused.value.fields] == [field]
    assert await service.keys(OPERATOR) == []


async def test_revoking_is_permanent_repeatable_and_in_the_systems_audit_log(db: None) -> None:
    key, secret = await make()
    first = await service.revoke(OPERATOR, key.id)
    assert first.status(await database.now()) is Status.REVOKED and await service.revoke(OPERATOR, key.id) == first
    assert (await Client(token=secret).send(HELLO)).status_code == 401
    entries = await audit_store.newest(SYSTEM_CHAIN, limit=10)
    assert [(entry.action, entry.target) for entry in entries] == [
        ("operator_key.revoked", key.id),
        ("operator_key.created", key.id),
    ]
    with pytest.raises(NotFound):
        await service.revoke(OPERATOR, ids.new(OPERATOR_KEY_ID))


async def test_a_leaked_operator_key_is_found_and_ended(db: None) -> None:
    key, secret = await make()
    (found,) = await credentials.opened_by(OPERATOR, secret)
    assert isinstance(found, OperatorKey) and found.id == key.id and not credentials.is_revoked(found)
    assert credentials.is_revoked(await credentials.revoke(Actor.system(), found, credentials.Reason.OTHER, None))
    assert (await Client(token=secret).send(HELLO)).status_code == 401


async def test_a_use_moves_the_digest_to_the_new_pepper(db: None) -> None:
    key, secret = await make()
    assert await store.count_by_pepper(await database.now()) == {1: 1}
    runtime.put(Peppers(NEW, peppers.current().current))
    assert (await Client(token=secret).send(HELLO)).status_code == 200
    assert await store.count_by_pepper(await database.now()) == {2: 1}
    found = await store.find_by_digest([NEW.digest(secret)])
    assert found is not None and found.key.id == key.id


async def test_a_database_of_before_revokes_the_key_again(db: None, tmp_path: Path) -> None:
    runtime.put(journal.Journal(tmp_path / "own" / "revocations.jsonl"))
    key, secret = await make()
    await service.revoke(OPERATOR, key.id)
    async with database.transaction():
        await database.fetch("UPDATE operator_key SET revoked_at = NULL")
    assert (await Client(token=secret).send(HELLO)).status_code == 200
    assert dict(await replay.replay()) == {"operator_key.revoked": 1}
    assert (await Client(token=secret).send(HELLO)).status_code == 401
    assert dict(await replay.replay()) == {}
