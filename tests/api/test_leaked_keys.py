"""`leakedApiKeys`: whose secrets these are, asked by their SHA-256, within one workspace and with `keys.read` only."""

from __future__ import annotations

import hashlib

from app import database, runtime
from app.access.actor import Actor
from app.audit import service as audit
from app.keys import service as keys
from app.keys.key import Reason
from app.keys.secret import generate
from app.peppers import service as peppers
from app.peppers.pepper import Pepper, Peppers
from tests.api.conftest import program
from tests.conftest import Team, make_key
from tests.support.graphql import Client, operation


def sha256(secret: str | None) -> str:
    return hashlib.sha256((secret or "").encode()).hexdigest()


async def found(client: Client, *digests: str) -> list[tuple[str, str] | None]:
    answer = await client.run("keys/leaked", sha256=list(digests))
    known = {each["sha256"]: (each["apiKey"]["id"], each["apiKey"]["status"]) for each in answer["leakedApiKeys"]}
    return [known.get(digest) for digest in digests]


async def test_each_digest_gets_its_own_answer(owner: Client, team: Team) -> None:
    one, two = await make_key(team), await make_key(team)
    await keys.revoke(team.owner, two.key.id, Reason.OTHER)
    unknown = sha256(generate("fl", "live"))
    asked = [sha256(two.secret), unknown, sha256(one.secret), sha256(two.secret)]
    revoked, active = (two.key.id, "REVOKED"), (one.key.id, "ACTIVE")
    assert await found(owner, *asked) == [revoked, None, active, revoked]
    assert await found(owner) == []


async def test_the_key_of_another_workspace_is_as_unknown_as_one_that_does_not_exist(
    owner: Client, stranger: Client, team: Team
) -> None:
    made = await make_key(team)
    assert await found(stranger, sha256(made.secret), "0" * 64) == [None, None]
    assert await found(owner, sha256(made.secret)) == [(made.key.id, "ACTIVE")]


async def test_a_management_key_needs_keys_read(team: Team) -> None:
    made = await make_key(team)
    reader, other = [await program(team.owner, team.slug, scope) for scope in ("keys.read", "usage.read")]
    assert await found(reader, sha256(made.secret)) == [(made.key.id, "ACTIVE")]
    answer = (await other.send(operation("keys/leaked"), {"sha256": [sha256(made.secret)]})).json()
    assert answer["errors"][0]["extensions"]["code"] == "NOT_ALLOWED"
    assert made.key.id not in str(answer)


async def test_what_is_no_digest_is_refused_and_not_repeated(owner: Client, team: Team) -> None:
    secret = (await make_key(team)).secret or ""
    for wrong in (secret, "A" * 64, "a" * 63, "", sha256(secret) + "\n"):
        (error,) = await owner.refused(operation("keys/leaked"), sha256=[wrong])
        assert "64 hexadecimal digits" in error["message"] and secret not in str(error)
    (error,) = await owner.refused(operation("keys/leaked"), sha256=["0" * 64] * 101)
    assert "100" in error["message"]


async def test_the_digest_that_is_stored_is_keyed_by_the_workspace_and_outlives_a_change_of_the_pepper(
    owner: Client, team: Team
) -> None:
    made = await make_key(team)
    (row,) = await database.fetch("SELECT leak_digest FROM api_key")
    assert bytes(row["leak_digest"]) != hashlib.sha256((made.secret or "").encode()).digest()
    old = peppers.current().current
    new = Pepper(old.version + 1, b"another pepper, as long as one must be")
    # There and back, because the installation's row outlives the test.
    for each in (Peppers(new, old), Peppers(old, new)):
        with runtime.replaced(each):
            async with database.transaction():
                await audit.rewrap_keys()
            assert await found(owner, sha256(made.secret)) == [(made.key.id, "ACTIVE")]


async def test_a_key_from_before_these_digests_is_unknown(owner: Client, team: Team) -> None:
    made = await make_key(team)
    async with database.transaction():
        await database.fetch("UPDATE api_key SET leak_digest = NULL")
    assert await found(owner, sha256(made.secret)) == [None]
    assert [key.id for key in await keys.find_by_secret(Actor.operator(), made.secret or "")] == [made.key.id]
