"""Imported keys verify with the secrets that their holders have, get a keyed digest at first use, and obey like all others."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app import clock, database, runtime
from app.access.actor import Actor
from app.cli import scan_lookup
from app.doctor import service as doctor
from app.journal import file as journal
from app.keys import importing, leak_digest
from app.keys import service as keys
from app.keys.import_columns import Source
from app.keys.import_file import Defaults, read
from app.keys.key import Reason
from app.keys.secret import class_of, generate
from app.leaks import service as leaks
from app.leaks.revocation_routes import ENDED, SelfRevocation
from app.peppers import service as peppers
from app.peppers.pepper import Pepper, Peppers
from app.rotations import service as rotations
from app.settings import Settings
from app.usage import log as usage_log
from app.verification import preview
from app.verification.preview import PreviewRequest
from app.verification.routes import Verification
from app.verification.verdict import Code
from tests.conftest import Team, make_key
from tests.leaks.test_self_revocation import Finder
from tests.support.access import seen
from tests.support.time_limits import extend_time_limits
from tests.verification.conftest import Service, counters, gateway_token, watched

OPERATOR = Actor.operator()
UNKEY = "unkey_3ZBBzYpJ8XKVbT1CpNJ5Qd"
BETTER_AUTH = "RdNJgHuKbFaQsVbPzYxWcTmLhGkJfDsAqWeRtYuIoPzXcVbNmMnBvCxZlKjHgFdS"
DRF = "Gbd3HqzZ.0mTqFpM5pQ0YxkXnWJm3s2dVvS5oRt8A"
NEW = Pepper(2, b"another pepper for the tests and for nothing else")


@dataclass(frozen=True)
class Imported:
    """One key of each product, by its secret."""

    ids: dict[str, str]

    def of(self, secret: str) -> str:
        return self.ids[secret]


@pytest.fixture
async def team(team: Team, tmp_path: Path) -> Team:
    """With a journal that knows of no key: the same hashes are imported by one test after another."""
    runtime.put(journal.Journal(tmp_path / "own" / "revocations.jsonl"))
    return team


def lines_of(secret: str) -> tuple[Source, str]:
    sha256 = hashlib.sha256(secret.encode()).digest()
    if secret == UNKEY:
        return Source.UNKEY, f"id,hash,start,name,enabled\nkey_1,{base64.b64encode(sha256).decode()},unkey_3ZB,Old,1\n"
    if secret == BETTER_AUTH:
        return Source.BETTER_AUTH, f"id,key,start,enabled\n1,{base64.urlsafe_b64encode(sha256).decode().rstrip('=')},RdNJgH,1\n"
    hashed = hashlib.sha512(secret.encode()).hexdigest()
    return Source.DRF, f"prefix,hashed_key,name,revoked\nGbd3HqzZ,sha512$${hashed},Old,f\n"


async def bring(team: Team, *secrets: str) -> Imported:
    ids = {}
    for secret in secrets:
        source, text = lines_of(secret)
        lines = read(text.splitlines(keepends=True), source, Defaults("production", ("pdf.read",)))
        (outcome,) = await importing.apply(OPERATOR, team.slug, source, lines)
        assert outcome.key_id is not None, outcome
        ids[secret] = outcome.key_id
    return Imported(ids)


async def stored(key_id: str) -> tuple[bytes, int, bool]:
    (row,) = await database.fetch("SELECT digest, pepper_version, leak_digest FROM api_key WHERE id = {}", key_id)
    return bytes(row["digest"]), row["pepper_version"], row["leak_digest"] is not None


@pytest.fixture
async def bare(db: None, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Settings]:
    extend_time_limits(monkeypatch)
    yield settings


async def opened(settings: Settings) -> Service:
    verification = Verification(settings)
    await verification.open()
    return watched(verification)


@pytest.mark.parametrize("secret", [UNKEY, BETTER_AUTH, DRF])
async def test_an_imported_key_works_at_once_is_counted_and_gets_its_digest_at_its_first_use(
    bare: Settings, team: Team, secret: str
) -> None:
    key_id = (await bring(team, secret)).of(secret)
    before = await stored(key_id)
    assert before[1] == -1
    service = await opened(bare)
    assert await service.code(secret, permission="pdf.generate") == "PERMISSION_DENIED"
    await service.app.close()
    assert await stored(key_id) == before

    service = await opened(bare)
    answer = await service.verify(secret, permission="pdf.read", environment="production")
    assert (answer["valid"], answer["keyId"], answer["workspace"]) == (True, key_id, team.slug)
    await service.app.close()
    assert await stored(key_id) == (peppers.current().current.digest(secret), 1, True)
    assert await database.fetch("SELECT key FROM imported_key WHERE algorithm IS NULL") == [{"key": key_id}]
    (row,) = await database.fetch("SELECT leak_digest FROM api_key WHERE id = {}", key_id)
    asked = hashlib.sha256(secret.encode()).hexdigest()
    assert asked in await keys.find_leaked(await seen(team.owner, team.slug), [asked])
    assert len(bytes(row["leak_digest"])) == len(leak_digest.keyed(b"", b""))

    service = await opened(bare)
    assert [await service.code(secret) for _ in range(3)] == ["VALID"] * 3
    await service.app.close()
    assert await counters() == {
        (key_id, "pdf.generate", "PERMISSION_DENIED"): 1, (key_id, "pdf.read", "VALID"): 1, (key_id, "", "VALID"): 3,
    }  # fmt: skip


async def test_forward_auth_self_and_preview_know_imported_keys(service: Service, team: Team) -> None:
    key_id = (await bring(team, UNKEY)).of(UNKEY)
    assert (await service.forward(("x-api-key", UNKEY))).headers["x-key-id"] == key_id
    assert (await service.forward(("authorization", f"Bearer {UNKEY}"))).status_code == 204
    itself = await service.request("GET", "/v1/self", headers={"x-api-key": UNKEY})
    assert (itself.status_code, itself.json()["keyId"]) == (200, key_id)
    answer = await preview.ask(team.owner, team.slug, PreviewRequest(UNKEY, "pdf.read"))
    assert (answer.code, answer.key and answer.key.id) == (Code.VALID, key_id)


async def test_without_imported_keys_other_texts_are_malformed_and_with_them_unknown(
    service: Service, team: Team, other_team: Team
) -> None:
    typo = generate("fl", "live")[:-1] + "-"
    mistyped = str((await make_key(team)).secret)[:-1]
    for text in (UNKEY, DRF, typo):
        assert await service.code(text) == "MALFORMED"
    assert (await preview.ask(team.owner, team.slug, PreviewRequest(UNKEY))).code is Code.MALFORMED
    await bring(other_team, BETTER_AUTH)
    assert [await service.code(text) for text in (UNKEY, DRF)] == ["NOT_FOUND"] * 2
    assert (await preview.ask(team.owner, team.slug, PreviewRequest(UNKEY))).code is Code.NOT_FOUND
    assert (await preview.ask(team.owner, team.slug, PreviewRequest(BETTER_AUTH))).code is Code.NOT_FOUND
    # A typo in a key of Keydesk's own stays one; short texts and white space belong to no key.
    swapped = str((await make_key(team)).secret).swapcase().replace("FL_LIVE_", "fl_live_")
    assert class_of(swapped, ("fl",)) is None
    for text in (swapped, "short", UNKEY + "\n", UNKEY + " ", "x" * 257, "é" * 30):
        assert await service.code(text) == "MALFORMED", text
    assert await service.code(mistyped) in ("MALFORMED", "NOT_FOUND")
    assert await counters() == {}


async def test_neither_the_hash_nor_the_keyed_digest_opens_anything(service: Service, team: Team) -> None:
    key_id = (await bring(team, UNKEY)).of(UNKEY)
    hashed = hashlib.sha256(UNKEY.encode())
    digest = (await stored(key_id))[0]
    for text in (hashed.hexdigest(), base64.b64encode(hashed.digest()).decode(), digest.hex(), f"sha256:{hashed.hexdigest()}"):
        assert await service.code(text) == "NOT_FOUND"
    assert await counters() == {}


async def test_an_imported_key_obeys_like_every_other(bare: Settings, team: Team, other_team: Team) -> None:
    imported = await bring(team, UNKEY, BETTER_AUTH, DRF)
    service = await opened(bare)
    service.token = await gateway_token(workspace=other_team.slug)
    assert await service.code(UNKEY) == "NOT_FOUND"
    service.token = await gateway_token(workspace=team.slug)

    await keys.suspend(team.owner, imported.of(UNKEY))
    assert await service.code(UNKEY) == "SUSPENDED"
    await keys.resume(team.owner, imported.of(UNKEY))
    assert await service.code(UNKEY) == "VALID"
    await keys.revoke(team.owner, imported.of(UNKEY), Reason.OTHER)
    assert await service.code(UNKEY) == "REVOKED"

    await keys.update(team.owner, imported.of(BETTER_AUTH), {"allowed_ips": ("203.0.113.0/24",)})
    assert await service.code(BETTER_AUTH, ip="198.51.100.1") == "IP_NOT_ALLOWED"
    now = await database.now()
    await keys.update(team.owner, imported.of(BETTER_AUTH), {"allowed_ips": (), "expires_at": now + clock.DAY})
    database.freeze(now + clock.DAY)
    assert await service.code(BETTER_AUTH) == "EXPIRED"
    database.freeze(None)

    started = await rotations.start(team.owner, imported.of(DRF))
    assert started.secret is not None and class_of(started.secret, ("fl",)) == "live"
    assert [await service.code(secret) for secret in (DRF, started.secret)] == ["VALID"] * 2
    await rotations.complete(team.owner, started.progress.rotation.id, force=True)
    assert [await service.code(secret) for secret in (DRF, started.secret)] == ["REVOKED", "VALID"]
    await service.app.close()


async def test_an_unused_imported_key_survives_a_change_of_the_pepper_only_as_long_as_both_are_given(
    bare: Settings, team: Team
) -> None:
    imported = await bring(team, UNKEY, DRF)
    old = peppers.current().current
    runtime.put(Peppers(NEW, old))
    service = await opened(bare)
    assert await service.code(UNKEY) == "VALID"
    await service.app.close()
    assert (await stored(imported.of(UNKEY)))[:2] == (NEW.digest(UNKEY), 2)
    found = {(finding.what, finding.text) for finding in await doctor.examine(OPERATOR, bare)}
    assert ("pepper", "1 API keys are left under the previous pepper, until each is used once") in found
    assert ("imported keys", "1 verify by the hash they came with, until each is used once") in found
    runtime.put(Peppers(NEW))
    service = await opened(bare)
    assert [await service.code(secret) for secret in (UNKEY, DRF)] == ["VALID", "NOT_FOUND"]
    await service.app.close()


async def test_a_finder_ends_an_imported_key_and_learns_nothing_of_others(team: Team) -> None:
    imported = await bring(team, UNKEY)
    await leaks.end(leaks.holder(Actor.system().request), UNKEY, Reason.EXPOSED_IN_LOGS, None, ())
    revoked = (await keys.get(team.owner, imported.of(UNKEY))).revocation
    assert revoked is not None and revoked.reason is Reason.EXPOSED_IN_LOGS
    await leaks.end(leaks.holder(Actor.system().request), DRF, Reason.OTHER, None, ())


async def test_over_http_a_finder_needs_no_more_than_the_secret(settings: Settings, team: Team, other_team: Team) -> None:
    finder = Finder(SelfRevocation(settings))
    assert (await finder.end(UNKEY)).json()["code"] == "MALFORMED"
    imported = await bring(team, UNKEY)
    known, unknown = await finder.end(UNKEY), await finder.end(DRF)
    assert [(answer.status_code, answer.json()["message"]) for answer in (known, unknown)] == [(200, ENDED)] * 2
    assert (await keys.get(team.owner, imported.of(UNKEY))).revocation is not None


async def twice(team: Team, first: str) -> list[str]:
    """One secret, imported by its hashes under two algorithms: two keys."""
    ids = []
    for algorithm in (first, *({"sha256", "sha512"} - {first})):
        hashed = hashlib.new(algorithm, UNKEY.encode()).hexdigest()
        text = f"name,hash,algorithm\n{algorithm},{hashed},{algorithm}\n"
        lines = read(text.splitlines(keepends=True), Source.CSV, Defaults("production", ("pdf.read",)))
        (outcome,) = await importing.apply(OPERATOR, team.slug, Source.CSV, lines)
        assert outcome.state is importing.State.NEW and outcome.key_id is not None
        ids.append(outcome.key_id)
    return ids


@pytest.mark.parametrize("is_used", [False, True])
@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
@pytest.mark.parametrize("which", [0, 1])
async def test_a_secret_that_was_imported_under_two_algorithms_obeys_both_keys(
    bare: Settings, team: Team, algorithm: str, is_used: bool, which: int
) -> None:
    ids = await twice(team, algorithm)
    if is_used:
        service = await opened(bare)
        assert await service.code(UNKEY) == "VALID"
        await service.app.close()
    service = await opened(bare)

    async def codes() -> set[str]:
        answer = await preview.ask(team.owner, team.slug, PreviewRequest(UNKEY, "pdf.read"))
        return {await service.code(UNKEY, permission="pdf.read"), str(answer.code)}

    await keys.suspend(team.owner, ids[which])
    assert await codes() == {"SUSPENDED"}
    await keys.resume(team.owner, ids[which])
    assert await codes() == {"VALID"}
    await keys.revoke(team.owner, ids[which], Reason.OTHER)
    assert await codes() == {"REVOKED"}
    await service.app.close()


@pytest.mark.parametrize("is_used", [False, True])
@pytest.mark.parametrize("by", ["holder", "operator"])
async def test_who_ends_a_secret_ends_every_key_that_it_has(
    bare: Settings, team: Team, by: str, is_used: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan_lookup, "settings", lambda: bare)
    ids = await twice(team, "sha256")
    service = await opened(bare)
    if is_used:
        assert await service.code(UNKEY) == "VALID"
    await service.app.close()
    if by == "holder":
        await keys.revoke(team.owner, ids[0], Reason.OTHER)
        await leaks.end(leaks.holder(Actor.system().request), UNKEY, Reason.EXPOSED_IN_LOGS, None, ())
    else:
        await keys.revoke(team.owner, ids[1], Reason.OTHER)
        assert not (await scan_lookup._look_up(UNKEY)).is_dead
        await scan_lookup._revoked({UNKEY: "in a file"})
    assert [(await keys.get(team.owner, key_id)).revocation is not None for key_id in ids] == [True, True]
    assert (await scan_lookup._look_up(UNKEY)).is_dead


async def test_a_scanner_learns_of_the_living_key_of_a_secret_that_has_two(service: Service, team: Team) -> None:
    first, second = await twice(team, "sha512")
    # Both have the leak digest: the first from its use, the second from its SHA-256.
    assert await service.code(UNKEY) == "VALID"
    await service.app.close()
    asked = hashlib.sha256(UNKEY.encode()).hexdigest()
    for ended, living in ((first, second), (second, None)):
        await keys.revoke(team.owner, ended, Reason.OTHER)
        found = (await keys.find_leaked(await seen(team.owner, team.slug), [asked]))[asked]
        assert living in (None, found.id) and (found.revocation is None) == (living is not None)


async def test_imported_keys_cost_other_keys_nothing(service: Service, team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    await bring(team, UNKEY)
    created, hot = await make_key(team), usage_log.current().hot
    reads, read = [], hot.read

    async def noting(lookup: Any, *lists: list[bytes]) -> Any:
        reads.append([len(digests) for digests in lists])
        return await read(lookup, *lists)

    monkeypatch.setattr(hot, "read", noting)
    assert [await service.code(secret) for secret in (created.secret, UNKEY)] == ["VALID"] * 2
    # One statement each: the digest of the key and of the gateway token; for the other, its own and one for each algorithm.
    assert reads == [[1, 1], [0, 1, 3]]
