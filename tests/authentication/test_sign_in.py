"""Sign-in: one answer for every failure, throttled guessing, and nobody locked out of their own account."""

from __future__ import annotations

import asyncio

import pytest
from argon2 import PasswordHasher

from app import database
from app.authentication import service as authentication
from app.clock import DAY, HOUR, MINUTE
from app.errors import Problem, SignInFailed, TooManyAttempts
from app.sessions import service as sessions
from app.throttling import service as throttling
from app.users import password_hashing
from tests.support.users import OTHER_PASSWORD, PASSWORD, REQUEST, make_owner, request_from, sign_in

WRONG = "this is not the right one"


async def refused(email: str, request: object = REQUEST, password: str = WRONG) -> Problem:
    with pytest.raises((SignInFailed, TooManyAttempts)) as refusal:
        await authentication.sign_in(request, email, password)  # type: ignore[arg-type]
    return refusal.value


async def stored_hash() -> str:
    return (await database.fetch("SELECT password_hash FROM account"))[0]["password_hash"]


@pytest.fixture
async def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes every password wrong, without hashing: for tests that guess hundreds of times."""

    async def wrong(*_: object) -> bool:
        return False

    monkeypatch.setattr(password_hashing, "verify", wrong)


async def test_the_right_password_begins_a_session_in_any_spelling_of_the_address(db: None) -> None:
    user, _ = await make_owner("Ann.Lee@Example.org")
    for spelling in ("Ann.Lee@Example.org", "  ann.lee@example.ORG ", "ann.lee\uff20example.org"):
        signed_in = await sign_in(spelling)
        assert signed_in.session.user == user
        assert await sessions.find(signed_in.token) == signed_in.session


async def test_a_password_matches_in_any_unicode_normal_form(db: None) -> None:
    await make_owner()
    token = (await sign_in()).token
    changed = await authentication.change_password(token, PASSWORD, "caf\u00e9 under seven bridges")
    assert changed.token != token
    await sign_in(password="cafe\u0301 under seven bridges")


async def test_every_failure_gets_the_same_answer(db: None) -> None:
    await make_owner()
    answers = [
        await refused("ann@example.org"),
        await refused("ann@example.org", password=""),
        await refused("nobody@example.org", password=PASSWORD),
        await refused("", password=PASSWORD),
        await refused("not an address", password=PASSWORD),
        await refused("nul\x00@example.org", password=PASSWORD),
        await refused("\ud800@example.org", password=PASSWORD),
        await refused("a" * 400 + "@example.org", password=PASSWORD),
    ]
    assert {(type(answer), answer.message) for answer in answers} == {(SignInFailed, SignInFailed().message)}
    assert await database.fetch("SELECT * FROM session") == []


async def test_an_unknown_address_costs_the_same_work_as_a_known_one(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    await make_owner()
    checked: list[str] = []
    real = password_hashing._matches

    def seen(password_hash: str, text: str) -> bool:
        checked.append("$".join(password_hash.split("$")[:4]))
        return real(password_hash, text)

    monkeypatch.setattr(password_hashing, "_matches", seen)
    await refused("ann@example.org")
    await refused("nobody@example.org")
    assert len(checked) == 2 and checked[0] == checked[1] == "$argon2id$v=19$m=19456,t=2,p=1"


async def test_raised_parameters_reach_a_hash_when_its_owner_next_signs_in(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    await make_owner()
    before = await stored_hash()
    await sign_in()
    assert await stored_hash() == before
    monkeypatch.setattr(password_hashing, "hasher", PasswordHasher(time_cost=3, memory_cost=19_456, parallelism=1))
    await refused("ann@example.org")
    assert await stored_hash() == before
    await sign_in()
    assert (await stored_hash()).startswith("$argon2id$v=19$m=19456,t=3,p=1$")
    await sign_in()


async def test_a_password_replaced_during_its_check_does_not_sign_in(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    user, _ = await make_owner()
    real = password_hashing.verify

    async def slow(password_hash: str | None, password: str) -> bool:
        right = await real(password_hash, password)
        async with database.transaction():
            await database.fetch("UPDATE account SET password_hash = {} WHERE id = {}", "$argon2id$other", user.id)
        return right

    monkeypatch.setattr(password_hashing, "verify", slow)
    await refused("ann@example.org", password=PASSWORD)
    assert await database.fetch("SELECT * FROM session") == []


async def test_an_address_has_thirty_guesses_in_five_minutes_over_all_accounts(db: None, cheap: None) -> None:
    now = await database.now()
    database.freeze(now)
    answers = [await refused(f"person{number}@example.org") for number in range(200)]
    assert [type(answer) for answer in answers] == [SignInFailed] * 30 + [TooManyAttempts] * 170
    assert isinstance(answers[-1], TooManyAttempts) and answers[-1].retry_after_seconds == 300
    assert type(await refused("person@example.org", request_from("203.0.113.10"))) is SignInFailed
    database.freeze(now + 5 * MINUTE - 1)
    assert type(await refused("person@example.org")) is TooManyAttempts
    database.freeze(now + 5 * MINUTE)
    assert type(await refused("person@example.org")) is SignInFailed


async def test_an_account_has_ten_guesses_over_all_addresses_whether_or_not_it_exists(db: None, cheap: None) -> None:
    await make_owner()
    for email in ("ann@example.org", "nobody@example.org"):
        answers = [await refused(email, request_from(f"198.51.100.{number}")) for number in range(50)]
        assert [type(answer) for answer in answers] == [SignInFailed] * 10 + [TooManyAttempts] * 40


async def test_a_whole_ipv6_network_counts_as_one_address(db: None, cheap: None) -> None:
    for number in range(30):
        await refused(f"person{number}@example.org", request_from(f"2001:db8:1:2::{number}"))
    assert type(await refused("person@example.org", request_from("2001:db8:1:2:ffff::1"))) is TooManyAttempts
    assert type(await refused("person@example.org", request_from("2001:db8:1:3::1"))) is SignInFailed
    for number in range(30):
        await refused(f"other{number}@example.org", request_from("::ffff:203.0.113.77"))
    assert type(await refused("person@example.org", request_from("203.0.113.77"))) is TooManyAttempts


async def fill_global_bucket(name: str) -> None:
    async with database.transaction():
        statement = "INSERT INTO throttle (bucket, window_start, attempts) VALUES ({}, {}, 1000)"
        await database.fetch(statement, name, await database.now())


async def test_a_thousand_guesses_by_others_lock_nobody_out(db: None) -> None:
    await make_owner()
    await fill_global_bucket("sign-in")
    await sign_in(request=request_from("192.0.2.77"))
    await fill_global_bucket("reset")
    await authentication.request_password_reset(REQUEST, "ann@example.org")


async def test_while_there_are_so_many_guesses_each_account_and_each_address_has_fewer(db: None, cheap: None) -> None:
    await fill_global_bucket("sign-in")
    answers = [await refused("ann@example.org", request_from(f"198.51.100.{number}")) for number in range(9)]
    assert [type(answer) for answer in answers] == [SignInFailed] * 5 + [TooManyAttempts] * 4
    answers = [await refused(f"person{number}@example.org") for number in range(15)]
    assert [type(answer) for answer in answers] == [SignInFailed] * 10 + [TooManyAttempts] * 5


@pytest.mark.parametrize("at_once", [True, False])
async def test_a_guess_refused_because_the_queue_is_full_is_not_counted(
    db: None, monkeypatch: pytest.MonkeyPatch, at_once: bool
) -> None:
    async def full(*_: object) -> bool:
        raise TooManyAttempts(retry_after_seconds=2)

    if at_once:
        monkeypatch.setattr(password_hashing, "_waiting", password_hashing.QUEUE_FOR_STRANGERS)
    else:
        monkeypatch.setattr(password_hashing, "verify", full)
    assert type(await refused("ann@example.org")) is TooManyAttempts
    assert [row["attempts"] for row in await database.fetch("SELECT attempts FROM throttle") if row["attempts"]] == []


async def test_a_flood_from_new_networks_leaves_room_for_a_known_network(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    await make_owner()
    await sign_in()
    monkeypatch.setattr(password_hashing, "_waiting", password_hashing.QUEUE_FOR_STRANGERS)
    assert type(await refused("ann@example.org", request_from("198.51.100.99"), PASSWORD)) is TooManyAttempts
    await sign_in()


async def test_concurrent_guesses_do_not_exceed_the_limit(db: None, cheap: None) -> None:
    answers = await asyncio.gather(*(refused("ann@example.org", request_from(f"198.51.100.{n}")) for n in range(30)))
    assert sorted(type(answer).__name__ for answer in answers) == ["SignInFailed"] * 10 + ["TooManyAttempts"] * 20


async def test_refused_attempts_write_nothing_and_do_not_extend_the_window(db: None, cheap: None) -> None:
    for _ in range(10):
        await refused("ann@example.org")
    before = await database.fetch("SELECT * FROM throttle ORDER BY bucket")
    for _ in range(5):
        await refused("ann@example.org")
    assert await database.fetch("SELECT * FROM throttle ORDER BY bucket") == before


async def test_success_does_not_give_an_address_its_guesses_back(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    await make_owner()
    real = password_hashing.verify

    async def quick(password_hash: str | None, password: str) -> bool:
        return password == PASSWORD and await real(password_hash, password)

    monkeypatch.setattr(password_hashing, "verify", quick)
    for number in range(29):
        await refused(f"person{number}@example.org")
    await sign_in()
    await refused("person29@example.org")
    assert type(await refused("person30@example.org")) is TooManyAttempts


async def test_successful_sign_ins_are_never_throttled(db: None) -> None:
    await make_owner()
    for _ in range(12):
        await sign_in()


async def test_an_account_under_attack_stays_open_to_its_owner_from_a_known_network(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make_owner()
    home = request_from("192.0.2.5")
    await sign_in(request=home)
    real = password_hashing.verify

    async def quick(password_hash: str | None, password: str) -> bool:
        return password == PASSWORD and await real(password_hash, password)

    monkeypatch.setattr(password_hashing, "verify", quick)
    for number in range(50):
        await refused("ann@example.org", request_from(f"198.51.100.{number}"))
    async with database.transaction():
        await database.fetch("UPDATE throttle SET attempts = 1000 WHERE bucket = 'sign-in'")
    assert type(await refused("ann@example.org", request_from("198.51.100.99"), PASSWORD)) is TooManyAttempts
    await sign_in(request=home)
    database.freeze(await database.now() + 91 * DAY)
    await throttling.purge_expired()
    assert await database.fetch("SELECT * FROM throttle") == []


async def test_guesses_from_a_users_known_network_on_other_accounts_do_not_lock_the_user_out(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make_owner()
    await sign_in()
    real = password_hashing.verify

    async def quick(password_hash: str | None, password: str) -> bool:
        return password == PASSWORD and await real(password_hash, password)

    monkeypatch.setattr(password_hashing, "verify", quick)
    answers = [await refused(f"person{number}@example.org") for number in range(40)]
    assert [type(answer) for answer in answers] == [SignInFailed] * 30 + [TooManyAttempts] * 10
    for _ in range(2):
        await sign_in()
    assert type(await refused("person@example.org")) is TooManyAttempts


async def test_a_known_network_has_ten_guesses_too(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    await make_owner()
    await sign_in()

    async def wrong(*_: object) -> bool:
        return False

    monkeypatch.setattr(password_hashing, "verify", wrong)
    answers = [await refused("ann@example.org") for _ in range(12)]
    assert [type(answer) for answer in answers] == [SignInFailed] * 10 + [TooManyAttempts] * 2


async def test_expired_windows_are_deleted_and_current_ones_kept(db: None, cheap: None) -> None:
    now = await database.now()
    database.freeze(now)
    await refused("ann@example.org")
    database.freeze(now + HOUR - 1)
    await refused("bob@example.org", request_from("203.0.113.10"))
    database.freeze(now + HOUR)
    await throttling.purge_expired()
    assert len(await database.fetch("SELECT * FROM throttle")) == 3


async def test_the_table_reveals_neither_accounts_nor_addresses(db: None, cheap: None) -> None:
    await refused("ann@example.org")
    await throttling.take(throttling.password_reset_buckets("ann@example.org", REQUEST.address))
    stored = str(await database.fetch("SELECT * FROM throttle"))
    assert "ann" not in stored and "203.0" not in stored


async def test_confirming_the_password_issues_a_new_token_and_ends_the_old_one(db: None) -> None:
    await make_owner()
    first = await sign_in()
    database.freeze(await database.now() + 11 * MINUTE)
    second = await authentication.confirm(first.token, PASSWORD)
    assert await sessions.find(first.token) is None
    assert (second.session.id, second.session.created_at) == (first.session.id, first.session.created_at)
    assert second.session.authenticated_at == await database.now()
    assert await sessions.find(second.token) == second.session


async def test_confirming_with_a_wrong_password_changes_nothing_and_is_throttled_after_ten(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make_owner()
    token = (await sign_in()).token
    for _ in range(10):
        with pytest.raises(SignInFailed):
            await authentication.confirm(token, OTHER_PASSWORD)
    with pytest.raises(TooManyAttempts):
        await authentication.confirm(token, PASSWORD)
    assert await sessions.find(token) is not None
    await sign_in()
