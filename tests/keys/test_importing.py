"""Importing keys by the hashes that other products keep: what each of them writes, what is refused, and that nothing is twice."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from app import clock, database, reconcile, replay, runtime
from app.access.actor import Actor
from app.audit import service as audit
from app.errors import ValidationFailed
from app.journal import file as journal
from app.keys import importing
from app.keys import service as keys
from app.keys.filters import KeyFilter
from app.keys.import_columns import COLUMNS, Source
from app.keys.import_file import Defaults, Line, read
from app.keys.importing import Outcome, State
from app.keys.key import Reason
from app.plans import service as plans
from tests.conftest import Team, make_key
from tests.support.access import seen

OPERATOR = Actor.operator()
SECRET = "unkey_3ZBBzYpJ8XKVbT1CpNJ5Qd"
SHORTEST = "sixteen_letters_"
PRODUCTION = Defaults("production", ("pdf.read",))


@pytest.fixture
async def team(team: Team, tmp_path: Path) -> Team:
    """With a journal that knows of no key: the same hashes are imported by one test after another."""
    runtime.put(journal.Journal(tmp_path / "own" / "revocations.jsonl"))
    return team


def base64_of(secret: str) -> str:
    return base64.b64encode(hashlib.sha256(secret.encode()).digest()).decode()


def lines(text: str, source: Source = Source.CSV, defaults: Defaults = PRODUCTION) -> list[Line]:
    return list(read(text.splitlines(keepends=True), source, defaults))


def many(count: int, *, start: int = 0) -> list[Line]:
    rows = [f"Key {number},{base64_of(f'a secret of the other product {number}')}" for number in range(start, start + count)]
    return lines("name,hash\n" + "\n".join(rows))


async def apply(team: Team, given: Sequence[Line], source: Source = Source.CSV) -> list[Outcome]:
    return await importing.apply(OPERATOR, team.slug, source, given)


def states(outcomes: Sequence[Outcome]) -> list[str]:
    return [str(outcome.state) for outcome in outcomes]


async def count(team: Team) -> int:
    return await keys.count(await seen(team.owner, team.slug), KeyFilter())


def test_the_hashes_that_other_products_write_are_read() -> None:
    sha256, sha512 = hashlib.sha256(SECRET.encode()), hashlib.sha512(SECRET.encode())
    url = base64.urlsafe_b64encode(sha256.digest()).decode().rstrip("=")
    unkey = (
        f"id,hash,start,name,expires,enabled,deleted_at_m\nkey_1,{base64_of(SECRET)},unkey_3ZB,CI,2099-01-31 12:00:00.000,1,NULL\n"
    )
    better = (
        "id,name,start,prefix,key,enabled,expiresAt,permissions\n"
        f'1,CI,unkey_,unkey_,{url},true,4073846400000,"{{""pdf"":[""read"",""generate""]}}"\n'
    )
    drf = (
        "id,prefix,hashed_key,created,name,revoked,expiry_date\n"
        f"unkey_3Z.sha512$${sha512.hexdigest()},unkey_3Z,sha512$${sha512.hexdigest()},"
        "2026-01-01 00:00:00+00,CI,f,2099-01-31 12:00:00+00\n"
    )
    own = (
        "name,hash,algorithm,environment,permissions,prefix,expires_at,allowed_ips,description,labels,id\n"
        f"CI,{sha512.hexdigest()},sha512,staging,pdf.read pdf.generate,unkey_,"
        "2099-01-31T12:00:00Z,203.0.113.0/24,Builds,team=ci pci=,7\n"
    )
    expires_at = clock.parse_rfc3339("2099-01-31T12:00:00Z")
    (a,), (b,), (c,), (d,) = (
        lines(unkey, Source.UNKEY), lines(better, Source.BETTER_AUTH), lines(drf, Source.DRF), lines(own)
    )  # fmt: skip
    assert [line.refusal for line in (a, b, c, d)] == [None] * 4
    assert [(line.algorithm, line.hashed) for line in (a, b)] == [("sha256", sha256.digest())] * 2
    assert [(line.algorithm, line.hashed) for line in (c, d)] == [("sha512", sha512.digest())] * 2
    assert [line.prefix for line in (a, b, c, d)] == ["unkey_3ZB", "unkey_", "unkey_3Z", "unkey_"]
    assert [line.external_id for line in (a, b, c, d)] == ["key_1", "1", "", "7"]
    assert [line.settings.expires_at for line in (a, c, d)] == [expires_at] * 3
    assert b.settings.expires_at == 4_073_846_400 * clock.SECOND
    assert b.settings.permissions == ("pdf.read", "pdf.generate")
    assert (d.settings.environment, d.settings.allowed_ips) == ("staging", ("203.0.113.0/24",))
    assert (d.settings.description, d.settings.labels) == ("Builds", ("team=ci", "pci="))
    assert all(line.number == 2 for line in (a, b, c, d))


@pytest.mark.parametrize(
    ("source", "text", "reason"),
    [
        ("unkey", "id,hash,start,enabled\n1,{hash},u,0\n", "It is disabled there."),
        ("unkey", "id,hash,start,enabled,deleted_at\n1,{hash},u,1,2026-01-01\n", "It was deleted there."),
        ("better-auth", "id,key,enabled\n1,{hash},false\n", "It is disabled there."),
        ("djangorestframework-api-key", "prefix,hashed_key,name,revoked\nu,sha512$$00,CI,t\n", "It was revoked there."),
        ("djangorestframework-api-key", "prefix,hashed_key,name,revoked\nu,pbkdf2_sha256$1$x$y,CI,f\n", "The hash is salted"),
        ("csv", "name,hash\nCI,my-secret-which-is-not-a-hash\n", "The hash is not sha256 in hexadecimal or Base64."),
        ("csv", "name,hash,algorithm\nCI,{hash},md5\n", "The algorithm is one of sha256, sha512."),
        ("csv", "name,hash,algorithm\nCI,{hash},sha512\n", "The hash is not sha512 in hexadecimal or Base64."),
        ("csv", "name,hash,expires_at\nCI,{hash},2099-01-31\n", "The expiry is not a time like"),
        ("csv", "name,hash,prefix\nCI,{hash},a-whole-secret-in-the-wrong-column\n", "The prefix is the beginning of a key"),
        ("csv", "name,hash\nCI,{hash},more\n", "It has more columns than the first line."),
        ("csv", "name,hash,expires_at,allowed_ips\nCI,{hash}\n", "It has fewer columns than the first line."),
        ("unkey", "id,hash,start,enabled\n1,{hash},u\n", "It has fewer columns than the first line."),
        ("better-auth", "id,key,enabled\n1,{hash}, FALSE \n", "It is disabled there."),
        ("better-auth", "id,key,enabled\n1,{hash},disabled\n", "The column enabled is neither true nor false."),
        ("unkey", "id,hash,start,enabled\n1,{hash},u,b'0'\n", "The column enabled is neither true nor false."),
        ("unkey", "id,hash,start,enabled\n1,{hash},u,\n", "The column enabled is neither true nor false."),
        ("djangorestframework-api-key", "prefix,hashed_key,name,revoked\nu,sha512$$00,CI,gone\n", "The column revoked is neither"),
        ("unkey", "id,hash,start,enabled,deletedAtM\n1,{hash},u,1,1767225600000\n", "It was deleted there."),
        ("unkey", "id,hash,start,enabled,remaining_requests\n1,{hash},u,1,0\n", "It has no uses left there."),
        ("better-auth", "id,key,enabled,remaining\n1,{hash},1,0\n", "It has no uses left there."),
        ("better-auth", "id,key,enabled,expires_at\n1,{hash},1,2020-01-31 12:00:00+00\n", "Choose a time in the future."),
        (
            "djangorestframework-api-key",
            "prefix,hashedKey,name,revoked,expiryDate\nu,{drf},CI,f,2020-01-31\n",
            "Choose a time in",
        ),
        (
            "csv",
            "name,hash,id\nCI,{hash},fl_live_0123456789ABCDEFabcdef0123456789ABCDEF\n",
            "One of its columns has a secret.",
        ),
        ("csv", "name,hash\n{secret},{hash}\n", "One of its columns has a secret."),
        ("csv", "name,hash,prefix\nCI,{short},{shortest}\n", "One of its columns has a secret."),
        ("csv", "name,hash,description\nCI,{hash},{secret}\n", "One of its columns has a secret."),
        ("unkey", "id,hash,start,enabled\n{secret},{hash},u,1\n", "One of its columns has a secret."),
        ("better-auth", "id,key,enabled,permissions\n1,{hash},1,[1\n", "The permissions are not what Better Auth stores."),
    ],
)
async def test_a_line_that_cannot_be_imported_says_why_and_never_repeats_what_may_be_a_secret(
    team: Team, source: str, text: str, reason: str
) -> None:
    values = {"hash": base64_of(SECRET), "drf": f"sha512$${hashlib.sha512(SECRET.encode()).hexdigest()}", "secret": SECRET}
    given = lines(text.format(**values, short=base64_of(SHORTEST), shortest=SHORTEST), Source(source))
    (outcome,) = await apply(team, given, Source(source))
    assert outcome.state is State.REFUSED and outcome.reason is not None
    assert outcome.reason.startswith(reason)
    assert SECRET not in outcome.reason + outcome.name and SHORTEST not in outcome.reason
    assert "my-secret" not in outcome.reason and "a-whole-secret" not in outcome.reason
    assert await count(team) == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "there is no name"),
        ("name\nCI\n", "there is no hash"),
        ("name,hash,permision\n", "Column 3 has no known name"),
        ("name,hash,hash\n", "A column is named twice."),
        ("name,hash,expiresAt,expires_at\n", "A column is named twice."),
        ('name,hash\n"CI,x\n', "is not CSV in UTF-8"),
    ],
)
def test_a_file_that_is_not_understood_is_refused_as_a_whole(text: str, message: str) -> None:
    with pytest.raises(ValidationFailed, match=message):
        lines(text)


@pytest.mark.parametrize("source", list(Source))
def test_a_column_that_is_not_known_may_restrict_its_keys_and_is_only_ignored_if_it_is_named(source: Source) -> None:
    columns = COLUMNS[source]
    known = ",".join((*columns.needed, *columns.optional, *columns.left))
    assert lines(f"{known}\n", source) == []
    for extra in ("revokedAt", "valid_until", "unlisted"):
        with pytest.raises(ValidationFailed, match=f"Column {known.count(',') + 2} has no known name"):
            lines(f"{known},{extra}\n", source)
    assert list(read([f"{known},revokedAt,Notes\n"], source, PRODUCTION, ("revoked_at", "notes"))) == []


def test_columns_may_be_written_in_either_case_and_no_more_than_the_beginning_of_a_secret_is_kept() -> None:
    (own,) = lines(
        f"Name,HASH,expiresAt,allowedIPs,prefix\nCI,{base64_of(SECRET)},2099-01-31T12:00:00Z, 203.0.113.0/24 ,{SECRET[:24]}\n"
    )
    assert (own.refusal, own.prefix) == (None, SECRET[:12])
    assert own.settings.expires_at == clock.parse_rfc3339("2099-01-31T12:00:00Z")
    assert own.settings.allowed_ips == ("203.0.113.0/24",)
    for name in ("expiresAt", "expires_at"):
        (theirs,) = lines(f"id,key,enabled,{name}\n1,{base64_of(SECRET)},yes,4073846400000\n", Source.BETTER_AUTH)
        assert (theirs.refusal, theirs.settings.expires_at) == (None, 4_073_846_400 * clock.SECOND)


async def test_a_dry_run_reports_what_would_be_done_and_changes_nothing(team: Team) -> None:
    given = [*many(3), *lines("name,hash\n,x\n"), *many(1)]
    before = await importing.preview(OPERATOR, team.slug, given)
    assert states(before) == ["NEW", "NEW", "NEW", "REFUSED", "EXISTS"]
    assert await count(team) == 0
    assert await apply(team, given) == before
    assert states(await importing.preview(OPERATOR, team.slug, given)) == ["EXISTS", "EXISTS", "EXISTS", "REFUSED", "EXISTS"]


async def test_what_a_key_may_not_be_is_refused_at_its_line(team: Team) -> None:
    hashed = base64_of(SECRET)
    given = lines(
        "name,hash,environment,permissions,expires_at\n"
        f"Unknown,{hashed},moon,pdf.fly,\nPast,{hashed},production,pdf.read,2020-01-01T00:00:00Z\n"
        f"Forever,{hashed},temporary,pdf.read,\n,{hashed},production,pdf.read,\nNobody,{hashed},production,,\n",
        defaults=Defaults(),
    )
    outcomes = await apply(team, given)
    assert states(outcomes) == ["REFUSED"] * 5
    reasons = [str(outcome.reason) for outcome in outcomes]
    assert "Choose one of: production" in reasons[0] and "There is no permission 'pdf.fly'." in reasons[0]
    assert reasons[1] == "Choose a time in the future."
    assert "must expire" in reasons[2]
    assert reasons[4] == "Choose at least one permission."


async def test_an_import_over_the_plans_limit_is_refused_for_the_lines_over_it(team: Team) -> None:
    await plans.change_plan(OPERATOR, team.slug, "growth")
    await make_key(team)
    before = await importing.preview(OPERATOR, team.slug, many(6))
    assert await apply(team, many(6)) == before
    assert states(before) == ["NEW"] * 4 + ["REFUSED"] * 2
    assert before[-1].reason == "The plan allows 5 API keys and 5 are in use. Revoke one, or choose a larger plan."
    assert await count(team) == 5
    # A larger plan has room for the rest.
    await plans.change_plan(OPERATOR, team.slug, "scale")
    assert states(await apply(team, many(6))) == ["EXISTS"] * 4 + ["NEW"] * 2


async def test_parallel_imports_of_one_file_create_each_key_once_and_keep_the_limit(team: Team) -> None:
    given = many(8)
    found = await asyncio.gather(*(apply(team, given) for _ in range(5)))
    assert sorted(state for outcomes in found for state in states(outcomes)) == ["EXISTS"] * 32 + ["NEW"] * 8
    over = await asyncio.gather(*(apply(team, many(4, start=100 * number)) for number in range(1, 4)))
    assert [state for outcomes in over for state in states(outcomes)].count("NEW") == 2
    assert await count(team) == 10


async def test_a_key_of_another_workspace_is_refused_and_not_moved(team: Team, other_team: Team) -> None:
    await apply(team, many(1))
    (outcome,) = await apply(other_team, many(1))
    assert (outcome.state, outcome.reason) == (State.REFUSED, "This key belongs to another workspace already.")
    assert (await count(team), await count(other_team)) == (1, 0)


async def test_every_imported_key_has_its_audit_entry_and_its_origin_and_no_hash_in_the_database(team: Team) -> None:
    (outcome,) = await apply(
        team, lines(f"id,hash,start,enabled\nk1,{base64_of(SECRET)},unkey_3ZB,1\n", Source.UNKEY), Source.UNKEY
    )
    assert outcome.key_id is not None
    (entry,) = await audit.about(await seen(team.owner, team.slug), outcome.key_id)
    assert (entry.action, entry.detail["source"], entry.detail["prefix"]) == ("key.imported", "unkey", "unkey_3ZB")
    key = await keys.get(team.viewer, outcome.key_id)
    assert (key.name, key.prefix, key.created_by.kind) == ("Imported from unkey, line 2", "unkey_3ZB", "OPERATOR")
    (row,) = await database.fetch("SELECT * FROM api_key")
    (origin,) = await database.fetch("SELECT source, external_id, algorithm FROM imported_key")
    assert dict(origin) == {"source": "unkey", "external_id": "k1", "algorithm": "sha256"}
    hashed = hashlib.sha256(SECRET.encode()).digest()
    unkeyed = {form for value in (hashed, SECRET.encode()) for form in (value, value.hex().encode(), base64.b64encode(value))}
    stored = b" ".join(value if isinstance(value, bytes) else str(value).encode() for value in row.values())
    assert not [form for form in unkeyed if form in stored + json.dumps(entry.detail).encode()]


async def test_scanners_recognize_a_key_imported_by_sha256_before_it_is_used(team: Team) -> None:
    (outcome,) = await apply(team, lines(f"name,hash\nCI,{base64_of(SECRET)}\n"))
    asked = hashlib.sha256(SECRET.encode()).hexdigest()
    found = await keys.find_leaked(await seen(team.owner, team.slug), [asked])
    assert {digest: key.id for digest, key in found.items()} == {asked: outcome.key_id}


async def forget_keys() -> None:
    """As a backup of before the import has them: not at all."""
    async with database.transaction():
        for table in ("imported_key", "key_last_used", "api_key"):
            await database.fetch(f"DELETE FROM {table}")


async def test_a_key_that_was_revoked_here_is_not_created_in_an_older_database_not_even_for_a_moment(team: Team) -> None:
    revoked, _ = await apply(team, many(2))
    assert revoked.key_id is not None
    await keys.revoke(team.owner, revoked.key_id, Reason.EXPOSED_IN_LOGS)
    assert states(await apply(team, many(2))) == ["EXISTS"] * 2
    assert revoked.key_id in (await journal.current().contents()).keys
    await forget_keys()
    before = await importing.preview(OPERATOR, team.slug, many(2))
    assert [(each.state, each.reason) for each in before] == [(State.REFUSED, "This key was revoked here."), (State.NEW, None)]
    assert await apply(team, many(2)) == before
    assert await count(team) == 1
    # The operator may void the journal, and with it what it knows.
    await journal.current().forget()
    assert states(await apply(team, many(2))) == ["NEW", "EXISTS"]


async def test_a_key_that_was_suspended_here_is_suspended_from_its_creation_in_an_older_database(team: Team) -> None:
    outcomes = await apply(team, many(3))
    first, second, _ = [str(outcome.key_id) for outcome in outcomes]
    for key_id in (first, second):
        await keys.suspend(team.owner, key_id)
    await keys.resume(team.owner, second)
    # Resumed keys are written to the journal with the next look at the database.
    await reconcile.catch_up(journal.current())
    assert (await journal.current().contents()).suspended_keys == {first}
    await forget_keys()
    assert states(await apply(team, many(3))) == ["NEW"] * 3
    rows = await database.fetch("SELECT id FROM api_key WHERE suspended_at IS NOT NULL")
    assert [row["id"] for row in rows] == [first]
    assert await replay.replay() == {}
    await keys.resume(team.owner, first)
    assert await replay.replay() == {}


async def test_nothing_is_imported_while_the_journal_cannot_be_read(team: Team, tmp_path: Path) -> None:
    runtime.put(journal.Journal(tmp_path))
    with pytest.raises(OSError, match="directory"):
        await apply(team, many(1))
    assert await count(team) == 0
