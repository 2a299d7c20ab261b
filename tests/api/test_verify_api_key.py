"""`verifyApiKey` returns the verdict that a gateway would get, to the key's owner only, and counts nothing."""

from __future__ import annotations

from typing import Any

import pytest

from app import database
from app.clock import DAY
from app.keys import secret as secrets
from app.keys import service as keys
from app.keys.key import Reason
from app.tenancy import store as workspace_store
from tests.api.conftest import program
from tests.conftest import GATEWAY_TOKEN, Team, make_key
from tests.support.graphql import Client


async def verdict(client: Client, secret: str | None, **given: Any) -> tuple[bool, str, str | None]:
    answer = await client.change("keys/verify", key=secret, **given)
    return answer["valid"], answer["code"], answer["apiKey"] and answer["apiKey"]["id"]


async def test_each_code_and_its_precedence(owner: Client, team: Team) -> None:
    expires_at = await database.now() + DAY
    made = await make_key(team, expires_at=expires_at, allowed_ips=("203.0.113.0/24",))
    secret, key = made.secret, made.key.id
    wrong = {"ip": "198.51.100.1", "environment": "staging", "permission": "pdf.delete"}
    assert await verdict(owner, "fl_live_x", **wrong) == (False, "MALFORMED", None)
    assert await verdict(owner, secrets.generate("fl", "live"), **wrong) == (False, "NOT_FOUND", None)
    assert await verdict(owner, secret, **wrong) == (False, "IP_NOT_ALLOWED", key)
    assert await verdict(owner, secret) == (False, "IP_NOT_ALLOWED", key)
    wrong["ip"] = "::ffff:203.0.113.7"
    assert await verdict(owner, secret, **wrong) == (False, "ENVIRONMENT_NOT_ALLOWED", key)
    wrong["environment"] = "production"
    assert await verdict(owner, secret, **wrong) == (False, "PERMISSION_DENIED", key)
    assert (await owner.change("keys/verify", key=secret, **wrong))["missingPermission"] == {"name": "pdf.delete"}
    wrong["permission"] = "pdf.read"
    assert await verdict(owner, secret, **wrong) == (True, "VALID", key)
    await keys.suspend(team.owner, key)
    assert await verdict(owner, secret) == (False, "SUSPENDED", key)
    database.freeze(expires_at)
    assert await verdict(owner, secret) == (False, "EXPIRED", key)
    await keys.revoke(team.owner, key, Reason.OTHER)
    assert await verdict(owner, secret) == (False, "REVOKED", key)


async def test_the_keys_of_a_suspended_workspace_are_suspended(owner: Client, team: Team) -> None:
    secret = (await make_key(team)).secret
    async with database.transaction():
        await workspace_store.update(team.workspace.id, {"suspended_at": await database.now()})
    assert (await verdict(owner, secret))[1] == "SUSPENDED"


async def test_another_workspaces_key_and_other_credentials_are_not_found(owner: Client, stranger: Client, team: Team) -> None:
    secret = (await make_key(team)).secret
    unknown = await owner.change("keys/verify", key=secrets.generate("fl", "live"))
    assert await stranger.change("keys/verify", key=secret) == unknown
    for other in ((await program(team.owner, team.slug, "keys.read")).token, secrets.generate("fl", "gate")):
        assert (await verdict(owner, other))[1] == "NOT_FOUND"
    assert (await verdict(owner, GATEWAY_TOKEN))[1] == "MALFORMED"


@pytest.mark.parametrize("given", [{"permission": "pdf.generat"}, {"environment": "prod"}, {"ip": "localhost"}])
async def test_it_never_fails_open_on_a_misspelled_permission_or_environment(
    owner: Client, team: Team, given: dict[str, str]
) -> None:
    answer = await owner.change("keys/verify", key=(await make_key(team)).secret, **given)
    assert (answer["code"], [fault["field"] for fault in answer["fields"]]) == ("VALIDATION_FAILED", list(given))


async def test_it_writes_nothing(owner: Client, team: Team) -> None:
    made = await make_key(team)
    tables = ("usage_hour", "key_last_used", "caller", "audit_entry", "api_key", "idempotency")

    async def everything() -> list[Any]:
        return [await database.fetch(f"SELECT * FROM {table} ORDER BY 1, 2") for table in tables]

    before = await everything()
    for permission in ("pdf.read", "pdf.delete"):
        await verdict(owner, made.secret, permission=permission)
    assert await everything() == before
